let calls = 0;
if (process.env.INIT === "fail") throw new RangeError("no init today");

export const handler = async (event, context) => {
  calls += 1;
  console.log("got", event.do);
  switch (event.do) {
    case "context":
      return {
        id: context.awsRequestId,
        arn: context.invokedFunctionArn,
        name: context.functionName,
        memory: context.memoryLimitInMB,
        remaining: context.getRemainingTimeInMillis(),
        custom: context.clientContext?.custom ?? null,
      };
    case "exit":
      process.exit(3);
    case "sleep":
      return new Promise((resolve) => setTimeout(resolve, 600_000));
    case "large":
      return "x".repeat(event.size - 2);
  }
  if (event.do === "fail" || (event.do === "flaky" && calls < 3)) throw new RangeError(event.message ?? "not yet");
  return { calls };
};

// The AWS SDK for JavaScript against a running binary: `node sdk.mjs <its node_modules> <ZipFile in base64> <role>`.
// Prints what it saw as JSON; `test_sdks.py` knows what that must be.
import { createRequire } from 'node:module';

const [modules, zip, role] = process.argv.slice(2);
const sdk = createRequire(`${modules}/`)('@aws-sdk/client-lambda');
const client = new sdk.LambdaClient({ maxAttempts: 1 });
const send = (Command, input) => client.send(new Command(input));
const FunctionName = 'javascript';
const text = (bytes) => Buffer.from(bytes).toString();

/** The name, status and members of the error that an operation must end in. */
async function refused(Command, input) {
  try {
    await send(Command, input);
  } catch (error) {
    const { name, message, Type, $metadata, $fault } = error;
    return { name, message, type: Type, status: $metadata.httpStatusCode, fault: $fault };
  }
  throw new Error(`${Command.name} was not refused`);
}

const seen = {};
const made = await send(sdk.CreateFunctionCommand, {
  FunctionName, Role: role, Runtime: 'nodejs20.x', Handler: 'app.handler', Code: { ZipFile: Buffer.from(zip, 'base64') },
});
seen.created = { arn: made.FunctionArn, state: made.State, status: made.$metadata.httpStatusCode };
seen.waited = (await sdk.waitUntilFunctionActiveV2({ client, maxWaitTime: 30 }, { FunctionName })).state;

const answer = await send(sdk.InvokeCommand, { FunctionName, Payload: JSON.stringify({ name: 'Roy Singh' }), LogType: 'Tail' });
seen.invoked = { status: answer.StatusCode, version: answer.ExecutedVersion, payload: JSON.parse(text(answer.Payload)) };
seen.log = Buffer.from(answer.LogResult, 'base64').toString();
const failed = await send(sdk.InvokeCommand, { FunctionName, Payload: JSON.stringify({ fail: 'no' }) });
seen.failed = { status: failed.StatusCode, error: failed.FunctionError, message: JSON.parse(text(failed.Payload)).errorMessage };

const stream = await send(sdk.InvokeWithResponseStreamCommand, { FunctionName, Payload: JSON.stringify({ name: 'streamed' }) });
seen.streamed = { body: '', complete: 0 };
for await (const event of stream.EventStream) {
  if (event.PayloadChunk) seen.streamed.body += text(event.PayloadChunk.Payload);
  if (event.InvokeComplete) seen.streamed.complete += 1;
}

await send(sdk.PublishVersionCommand, { FunctionName });
await send(sdk.CreateAliasCommand, { FunctionName, Name: 'live', FunctionVersion: '1' });
seen.alias = (await send(sdk.InvokeCommand, { FunctionName, Qualifier: 'live' })).ExecutedVersion;
await send(sdk.UpdateFunctionConfigurationCommand, { FunctionName, Timeout: 9 });
seen.updated = (await sdk.waitUntilFunctionUpdatedV2({ client, maxWaitTime: 30 }, { FunctionName })).state;

seen.pages = [];
for await (const page of sdk.paginateListVersionsByFunction({ client, pageSize: 1 }, { FunctionName })) {
  seen.pages.push(page.Versions.map((version) => version.Version));
}
seen.errors = [
  await refused(sdk.GetFunctionCommand, { FunctionName: 'missing' }),
  await refused(sdk.CreateAliasCommand, { FunctionName, Name: 'live', FunctionVersion: '1' }),
  await refused(sdk.GetFunctionCommand, { FunctionName: '*' }),
  await refused(sdk.InvokeCommand, { FunctionName, Payload: '{bad' }),
];
await send(sdk.PutFunctionConcurrencyCommand, { FunctionName, ReservedConcurrentExecutions: 0 });
seen.errors.push(await refused(sdk.InvokeCommand, { FunctionName }));
await send(sdk.DeleteFunctionCommand, { FunctionName });
seen.gone = (await refused(sdk.GetFunctionCommand, { FunctionName })).name;
console.log(JSON.stringify(seen));

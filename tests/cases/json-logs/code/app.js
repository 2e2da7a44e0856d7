const itself = {};
itself.itself = itself;

exports.handler = async (event) => {
  if (event.do === "fails") throw new RangeError("no");
  console.debug("too low");
  console.log("two\nlines");
  console.info({ a: [1] });
  console.warn("%d and %o", 1, { b: 2 });
  console.error(Object.assign(new RangeError("alone"), { code: 7 }));
  console.error("with", new RangeError("among"));
  console.fatal(itself);
  const { AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL } = process.env;
  return { AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL };
};

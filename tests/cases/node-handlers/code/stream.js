const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");

const does = {
  pieces: async (stream) => { stream.write("one "); stream.write({ two: 2 }); stream.end(" three"); },
  pipes: (stream) => pipeline(Readable.from(["a", "b", "c"]), stream),
  http: async (stream) => {
    const page = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    page.write("page"); page.end();
  },
  throws: async () => { throw new Error("at once"); },
  throwsLate: async (stream) => { stream.write("half"); throw new TypeError("in the middle"); },
  late: async (stream) => { stream.write("x"); await new Promise(setImmediate); stream.setContentType("text/plain"); },
  returns: async (stream) => { stream.end(); return 1; },
  breaks: async (stream) => { stream.write("half"); stream.destroy(); },
};
exports.handler = awslambda.streamifyResponse((event, stream, context) => {
  if (event.do === "notAsync") return stream;
  return does[event.do](stream, context);
});

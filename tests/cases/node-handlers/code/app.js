const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let count = 0;

const asynchronous = {
  throws: () => { throw new Error("no\nluck"); },
  null: () => { throw null; },
  object: () => { throw { a: 1 }; },
  undefined: () => undefined,
  bigint: () => 1n,
  circular: () => { const a = {}; a.a = a; return a; },
  throwsCircular: () => { const e = new Error("round"); e.self = e; throw e; },
  unhandled: () => { Promise.reject(new Error("lost")); return later(5000); },
  uncaught: () => { setTimeout(() => { throw new TypeError("late"); }, 1); return later(5000); },
  exits: () => { console.log("before"); process.exit(7); },
  never: () => new Promise(() => {}),
  count: () => ++count,
  logs: () => {
    console.log("log %d", 1); console.warn("two\nlines"); console.error("error"); console.debug("debug"); console.fatal("fatal");
    process.stdout.write("out\n"); process.stderr.write("err\n"); process.stdout.write("no end");
  },
};
exports.handler = async (event) => asynchronous[event.do]();

const callbacks = {
  result: (context, callback) => { setTimeout(() => console.log("waited for"), 20); callback(null, "result"); },
  atOnce: (context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60000); callback(null, "at once"); },
  error: (context, callback) => callback(new Error("callback")),
  text: (context, callback) => callback("text"),
  twice: (context, callback) => { callback(null, 1); callback(new Error("ignored")); },
  succeed: (context) => { context.succeed({ a: 1 }); },
  fail: (context) => { context.fail(); },
  done: (context) => { setTimeout(() => context.done(null, "done"), 1); },
  silent: () => "ignored",
  throws: () => { throw new Error("sync"); },
};
exports.callback = (event, context, callback) => callbacks[event.do](context, callback);

exports.deep = { er: { handler: async (event, context) => context.clientContext } };

"use strict";
// Runs a Node handler over the Lambda Runtime API: AWS's bootstrap, small and with no dependencies.

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { Writable } = require("node:stream");
const { pathToFileURL } = require("node:url");
const { format } = require("node:util");

const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const BASE = "/2018-06-01/runtime";
const ROOT = process.env.LAMBDA_TASK_ROOT || process.cwd();
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
// A process about to end reports it on a connection of its own: the usual one may wait in `next`.
const lastAgent = new http.Agent({ noDelay: true });
let requestId;
let ending = false;
// Virtual time for log lines, one millisecond on with each reading; undefined means the real clock.
let virtualNow = process.argv[3] === undefined ? undefined : Number(process.argv[3]);

function call(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const through = ending ? lastAgent : agent;
    const options = { host: HOST, port: Number(PORT), method, path: BASE + url, agent: through, headers };
    const request = http.request(options, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

function post(url, body, errorType) {
  const bytes = Buffer.from(body, "utf8");
  const headers = { "Content-Type": "application/json", "Content-Length": bytes.length };
  if (errorType !== undefined) headers["Lambda-Runtime-Function-Error-Type"] = errorType;
  return call("POST", url, headers, bytes);
}

// ---- logs

const LEVELS = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };

// Where this file lies differs from run to run, and would make every stack trace differ: AWS's place stands for it.
const neutral = (text) => String(text).split(__dirname).join("/var/runtime");

function stamp() {
  return new Date(virtualNow === undefined ? Date.now() : virtualNow++).toISOString();
}

const JSON_LOG = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const ORDER = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const LEAST = Math.max(0, ORDER.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL));

// An error as a member of AWS's structured log lines (spec/lambda §6).
function errorMembers(error) {
  const stack = typeof error.stack === "string" ? error.stack.split("\n") : error.stack ?? [];
  const errorType = error instanceof Fault ? error.name : error.constructor?.name ?? "UnknownError";
  return { errorType, errorMessage: error.message, stackTrace: stack };
}

// One value stays what it is, several become a text as `format` makes it.
function jsonLine(level, values) {
  const line = { timestamp: stamp(), level, requestId, message: values[0] };
  const replacer = (_, value) => (value instanceof Error ? { ...errorMembers(value), ...value } : value);
  if (values.length > 1) {
    line.message = format(...values);
    const error = values.slice(1).find((value) => value instanceof Error);
    if (error) Object.assign(line, errorMembers(error));
    return JSON.stringify(line);
  }
  try {
    return JSON.stringify(line, replacer);
  } catch {
    return JSON.stringify({ ...line, message: format(values[0]) });
  }
}

function writeLog(level, values) {
  if (ORDER.indexOf(level) < LEAST) return;
  if (JSON_LOG) write(jsonLine(level, values));
  else write(`${stamp()}\t${requestId}\t${level}\t${format(...values)}`);
}

function write(text) {
  const line = `${neutral(text).replace(/\n/g, "\r")}\n`;
  // Written at once: a line must be out before the response it belongs to.
  let bytes = Buffer.from(line, "utf8");
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(fs.writeSync(1, bytes));
    } catch (error) {
      if (error.code !== "EAGAIN") return;
    }
  }
}

for (const [method, level] of Object.entries(LEVELS)) {
  console[method] = (...values) => writeLog(level, values);
}
for (const stream of [process.stdout, process.stderr]) {
  if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);
}

// ---- errors

class Fault extends Error {
  constructor(errorType, message, stack) {
    super(message);
    this.name = errorType;
    this.stack = stack === undefined ? `${errorType}: ${message}` : stack;
  }
}

// AWS's words for a value that was thrown but cannot be read, such as `null`.
const UNREADABLE = {
  errorType: "handled",
  errorMessage: "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack",
};

function isError(value) {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

function describe(error) {
  const clean = (text) => neutral(text).replace(/\x7f/g, "%7F");
  try {
    if (!isError(error)) return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
    const trace = error.stack === undefined ? [] : clean(error.stack).split("\n");
    return { errorType: clean(error.name), errorMessage: clean(error.message), trace };
  } catch {
    return UNREADABLE;
  }
}

function logError(what, error) {
  if (JSON_LOG) return writeLog("ERROR", [isError(error) ? error : new Error(describe(error).errorMessage)]);
  const { errorType, errorMessage, trace } = describe(error);
  const extra = isError(error) ? { ...error } : {};
  delete extra.name;
  let text;
  try {
    text = JSON.stringify({ errorType, errorMessage, ...extra, stack: trace });
  } catch {
    // A member that JSON cannot carry, such as a request that points back to its socket.
    text = JSON.stringify({ errorType, errorMessage, stack: trace });
  }
  writeLog("ERROR", ["%s\t%s", what, text]);
}

// ---- responses that stream

const STREAMS = Symbol.for("aws.lambda.runtime.handler.streaming");
const ROOM = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

// What AWS's runtime offers handlers under this name: a handler that writes its response while it runs, and the head of
// an HTTP response before what it writes.
globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMS] = "response";
    handler[ROOM] = options?.highWaterMark > 0 ? Number(options.highWaterMark) : undefined;
    return handler;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      const head = JSON.stringify(metadata);
      stream._onBeforeFirstWrite = (write) => {
        write(head);
        write(new Uint8Array(8));
      };
      return stream;
    },
  },
};

// What a handler writes to: it goes out at once as the body of the response, and waits while nobody reads at the other
// end. An error goes into the trailers, because the head is on its way already.
class ResponseStream extends Writable {
  constructor(id, room) {
    super({ decodeStrings: true, ...(room === undefined ? {} : { highWaterMark: room }) });
    const headers = {
      "Content-Type": "application/octet-stream",
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    };
    const request = http.request({
      host: HOST, port: Number(PORT), method: "POST", path: `${BASE}/invocation/${id}/response`, agent, headers,
    });
    let written = false;
    // Settles when the platform has all of it.
    const taken = new Promise((resolve, reject) => {
      request.on("response", (response) => response.resume().on("end", resolve).on("error", reject));
      request.on("error", reject);
      request.on("close", () => reject(new Error(NOT_TAKEN)));
    });
    taken.catch(() => this.destroy());
    this.setContentType = (kind) => {
      if (written) throw new Fault("Runtime.InvalidStreamingOperation", "Cannot set content-type, too late.");
      request.setHeader("Content-Type", kind);
    };
    this._write = (chunk, _encoding, done) => {
      if (!written) this._onBeforeFirstWrite?.((head) => request.write(head));
      written = true;
      request.write(chunk, done);
    };
    this._final = (done) => request.end(done);
    this._destroy = (error, done) => {
      if (!request.writableEnded) request.destroy();
      done(error);
    };
    this.on("error", () => {});
    // Kept from the handler, which may do with the stream whatever a stream takes.
    parts.set(this, { request, taken });
  }

  write(chunk, ...rest) {
    const bytes = typeof chunk === "string" || chunk instanceof Uint8Array ? chunk : JSON.stringify(chunk);
    return super.write(bytes, ...rest);
  }

  end(chunk, ...rest) {
    const plain = [undefined, null].includes(chunk) || typeof chunk === "function";
    if (plain) return super.end(chunk, ...rest);
    this.write(chunk, ...rest.filter((value) => typeof value === "string"));
    return super.end(...rest.filter((value) => typeof value === "function"));
  }
}
const parts = new WeakMap();
const NOT_TAKEN = "Response stream is not finished.";

// After what was written comes the error, and then nothing.
function failStream(stream, error) {
  const { request } = parts.get(stream);
  if (stream.destroyed || stream.writableEnded) return;
  const told = describe(error);
  request.addTrailers({
    "Lambda-Runtime-Function-Error-Type": told.errorType,
    "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(told)).toString("base64"),
  });
  stream.end();
}

async function runStreaming(handler, event, headers, id) {
  const stream = new ResponseStream(id, handler[ROOM]);
  const context = contextOf(headers, () => {});
  for (const name of ["done", "succeed", "fail"]) delete context[name];
  try {
    const result = handler(event, stream, context);
    if (typeof result?.then !== "function") throw "Streaming does not support non-async handlers.";
    if ((await result) !== undefined) console.warn("Streaming handlers ignore return values.");
  } catch (error) {
    if (ending) return;
    logError("Invoke Error", error ?? "handled");
    failStream(stream, error ?? "handled");
  }
  // A stream that is never ended lasts until the function's time is over, as on AWS.
  const broke = await parts.get(stream).taken.then(() => undefined, () => stream.errored ?? NOT_TAKEN);
  if (broke === undefined || ending) return;
  // What had arrived of it counts as truncated, and then this is refused.
  const unfinished = describe(broke);
  await post(`/invocation/${id}/error`, JSON.stringify(unfinished), unfinished.errorType);
}

// ---- loading

function parseHandler(text) {
  const base = path.basename(text);
  const match = /^([^.]*)\.(.*)$/.exec(base);
  if (!match || match[2] === "" || text.includes("..")) {
    throw new Fault("Runtime.MalformedHandlerName", text.includes("..")
      ? `'${text}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`
      : "Bad handler");
  }
  return { file: path.resolve(ROOT, text.slice(0, text.length - base.length), match[1]), names: match[2].split(".") };
}

function isModule(file) {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const found = path.join(folder, "package.json");
    if (fs.existsSync(found)) {
      try {
        return JSON.parse(fs.readFileSync(found, "utf8")).type === "module";
      } catch {
        return false;
      }
    }
    if (folder === path.dirname(folder)) return false;
  }
}

async function loadFile(file, text) {
  const exact = ["", ".js", ".mjs", ".cjs"].map((end) => file + end).find((f) => fs.existsSync(f) && fs.statSync(f).isFile());
  if (exact === undefined) {
    const name = path.relative(ROOT, file);
    throw new Fault("Runtime.ImportModuleError", `Error: Cannot find module '${name}'\nRequire stack:\n- ${__filename}`);
  }
  try {
    if (exact.endsWith(".mjs") || (!exact.endsWith(".cjs") && isModule(exact))) {
      return await import(pathToFileURL(exact).href);
    }
    return require(exact);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`, error.stack);
    if (error && ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error.code)) {
      throw new Fault("Runtime.ImportModuleError", `Error: ${error.message}`, error.stack);
    }
    throw error;
  }
}

async function load(text) {
  const { file, names } = parseHandler(text);
  let found = await loadFile(file, text);
  const loaded = found;
  for (const name of names) found = found === undefined || found === null ? undefined : found[name];
  if (found === undefined && loaded && loaded.default) {
    found = loaded.default;
    for (const name of names) found = found === undefined || found === null ? undefined : found[name];
  }
  if (found === undefined || found === null) {
    throw new Fault("Runtime.HandlerNotFound", `${text} is undefined or not exported`);
  }
  if (typeof found !== "function") throw new Fault("Runtime.HandlerNotFound", `${text} is not a function`);
  return found;
}

// ---- invoking

function contextOf(headers, settle) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  // Node reads headers as Latin-1; these carry UTF-8.
  const json = (name) => (headers[name] === undefined ? undefined : JSON.parse(Buffer.from(headers[name], "latin1").toString("utf8")));
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: json("lambda-runtime-client-context"),
    identity: json("lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: (error, result) => settle(error, result),
    succeed: (result) => settle(null, result),
    fail: (error) => settle(error === undefined || error === null ? "handled" : error),
  };
}

// A callback-style result waits until the event loop has nothing else to do, as AWS's does by default.
let whenEmpty;
process.on("beforeExit", () => {
  if (whenEmpty) whenEmpty();
});

function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (act) => {
      settled = true;
      whenEmpty = undefined;
      act();
    };
    // The callback and its older twins on the context: an error counts at once, a result when nothing is left to do.
    const once = (act) => settled || settle(act);
    const done = (error, result) => once(() => (error === null || error === undefined ? resolve(result) : reject(error)));
    const context = contextOf(headers, done);
    const callback = (error, result) => {
      const waits = context.callbackWaitsForEmptyEventLoop && (error === null || error === undefined);
      if (settled || !waits) return done(error, result);
      settled = true;
      whenEmpty = () => settle(() => resolve(result));
    };
    // A handler that leaves nothing to wait for and never calls back answers null.
    whenEmpty = () => once(() => resolve(null));
    let result;
    try {
      result = handler(event, context, callback);
    } catch (error) {
      return settle(() => reject(error ?? "handled"));
    }
    if (result !== null && result !== undefined && typeof result.then === "function") {
      result.then((value) => once(() => resolve(value)), (error) => once(() => reject(error ?? "handled")));
    }
  });
}

function encode(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

// ---- what is left over

// How Node calls what keeps a process busy, and what that is; processes are counted by who started us.
const LEFT = { Timeout: "timer", Immediate: "timer", TCPSocketWrap: "connection", TLSWrap: "connection" };
const OURS = ["ProcessWrap", "PipeWrap", "TTYWrap"];
let before;

function busy() {
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo?.() ?? []) {
    if (OURS.includes(kind)) continue;
    const name = LEFT[kind] ?? (kind.startsWith("FS") ? "file operation" : "other activity");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

// What goes on although the handler has answered, beyond what was there before the first event.
function unfinished() {
  const now = busy();
  before ??= now;
  const texts = [];
  for (const [name, count] of now) {
    const more = count - (before.get(name) ?? 0);
    if (more > 0) texts.push(more === 1 ? `1 ${name}` : `${more} ${name.replace(/y$/, "ie")}s`);
  }
  return texts.length === 0 ? undefined : { "Triggerfish-Unfinished": texts.join(", ") };
}

async function fatal(what, errorType, error, code) {
  if (ending) process.exit(code);
  ending = true;
  logError(what, error);
  const url = requestId === undefined ? "/init/error" : `/invocation/${requestId}/error`;
  await post(url, JSON.stringify(describe(error)), errorType).catch(() => {});
  process.exit(code);
}

process.on("uncaughtException", (error) => {
  fatal("Uncaught Exception", describe(error).errorType, error, 129);
});
process.on("unhandledRejection", (reason) => {
  const known = describe(reason);
  const message = isError(reason) ? `${known.errorType}: ${known.errorMessage}` : known.errorMessage;
  const error = new Fault("Runtime.UnhandledPromiseRejection", reason === undefined || reason === null ? String(reason) : message);
  error.reason = known;
  fatal("Unhandled Promise Rejection", "Runtime.UnhandledPromiseRejection", error, 128);
});

async function main() {
  // The handler sees no arguments of ours.
  process.argv.length = 2;
  let handler;
  try {
    handler = await load(process.env._HANDLER);
  } catch (error) {
    return fatal("Uncaught Exception", describe(error).errorType, error, 1);
  }
  // What loading the code left rejected is reported before the first event is asked for, not in the middle of it.
  await new Promise(setImmediate);
  for (;;) {
    if (ending) return;
    const { headers, body } = await call("GET", "/invocation/next", unfinished());
    if (ending) return;
    requestId = headers["lambda-runtime-aws-request-id"];
    virtualNow = headers["triggerfish-now-ms"] === undefined ? undefined : Number(headers["triggerfish-now-ms"]);
    if (headers["lambda-runtime-trace-id"]) process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
    else delete process.env._X_AMZN_TRACE_ID;
    const id = requestId;
    try {
      const event = JSON.parse(body.toString("utf8"));
      if (handler[STREAMS] === "response") {
        await runStreaming(handler, event, headers, id);
        continue;
      }
      const answer = encode(await run(handler, event, headers));
      if (ending) return;
      await post(`/invocation/${id}/response`, answer);
    } catch (error) {
      if (ending) return;
      logError("Invoke Error", error);
      await post(`/invocation/${id}/error`, JSON.stringify(describe(error)), describe(error).errorType);
    }
  }
}

main();

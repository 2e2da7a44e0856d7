Promise.reject(new Error("at once")); exports.handler = async () => "not reached";

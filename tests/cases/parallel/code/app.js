let n = 0; exports.handler = async () => ++n;

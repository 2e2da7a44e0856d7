const itself = {};
itself.itself = itself;

export const handler = async () => {
  console.debug("too low");
  console.log("two\nlines");
  console.info({ a: [1] });
  console.warn("%d and %o", 1, { b: 2 });
  console.error(Object.assign(new RangeError("alone"), { code: 7 }));
  console.error("with", new RangeError("among").message);
  console.fatal(itself);
  throw new RangeError("no");
};

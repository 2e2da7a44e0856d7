// Removes the thumbnail of a picture that was deleted.
import { rm } from "node:fs/promises";
import path from "node:path";

const decodeKey = (key) => decodeURIComponent(key.replaceAll("+", " "));

export const handler = async (event) => {
  for (const record of event.Records) {
    const key = decodeKey(record.s3.object.key);
    await rm(path.join(process.env.THUMBS, key), { force: true });
    console.log(`removed thumbnail of ${key}`);
  }
  return { removed: event.Records.length };
};

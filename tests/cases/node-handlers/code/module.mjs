export const handler = async () => (await Promise.resolve(import.meta.url)).split("/").pop();

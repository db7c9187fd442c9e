/**
 * Loaded before an example of the seed (`node --import`): writes what the example's `fetch` got to standard error, byte by
 * byte, once it is there. The example itself does not show where its answer comes from.
 */
const original = globalThis.fetch;

globalThis.fetch = async (...request) => {
  const response = await original(...request);
  const copy = response.clone();
  copy.text().then(
    (text) => process.stderr.write(text),
    (error) => process.stderr.write(`the answer broke off: ${error}`),
  );
  return response;
};

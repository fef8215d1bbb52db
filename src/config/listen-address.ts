// Other programs write `*` for all addresses. Here the host is empty.
const addressForm = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s*]*)):(\d{1,5})$/;

// Size of sun_path in unix(7), without its NUL.
const mostPathBytes = 107;

/** Parses `:28697`, `127.0.0.1:28697`, `[::1]:28697` or `unix:/run/x.sock`; undefined for anything else. */
export const parseListenAddress = (text: string): { host: string; port: number } | { path: string } | undefined => {
  const [, path] = /^unix:(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) return Buffer.byteLength(path) <= mostPathBytes ? { path } : undefined;
  const [, bracketed, plain = '', port] = addressForm.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) return undefined;
  return { host: bracketed ?? plain, port: Number(port) };
};

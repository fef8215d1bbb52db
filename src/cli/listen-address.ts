const addressForm = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]*)):(\d{1,5})$/;

/** Reads `:10911`, `127.0.0.1:10911` or `[::1]:10911`; undefined for anything else. */
export const parseListenAddress = (text: string): { host: string; port: number } | undefined => {
  const [, bracketed, plain = '', port] = addressForm.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) return undefined;
  return { host: bracketed ?? plain, port: Number(port) };
};

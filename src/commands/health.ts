import { defaultPort } from '../config/global-options.ts';
import { textOption } from '../config/option.ts';
import { resolveFlags } from '../config/resolve-settings.ts';
import { settingsOf } from '../config/settings.ts';
import { print, type Command } from './command.ts';
import { get } from './web-request.ts';

const timeoutSeconds = 5;

const parsedUrl = (text: string): URL | null => {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url : null;
};

const options = {
  url: textOption({
    help: 'URL to request. A request for a password counts as an answer. Certificates are not checked.',
    default: `http://127.0.0.1:${defaultPort}/-/healthy`,
    metavar: 'URL',
    expected: 'a URL of http or https',
    holds: (text) => parsedUrl(text) !== null,
  }),
};

/**
 * Describes an exporter's answer in one line. Rejects with an Error that names the URL if there is no answer, or a
 * status of 500 or more.
 */
export const healthOf = async (url: URL, seconds = timeoutSeconds): Promise<string> => {
  const status = await get(url, { seconds, rejectUnauthorized: false }, ({ statusCode }) => statusCode!).catch(
    (error: Error) => {
      throw new Error(`${url.href}: ${error.message}`, { cause: error });
    },
  );
  if (status >= 500) throw new Error(`${url.href}: expected an answer below 500, found ${status}`);
  return `${url.href}: ${status}\n`;
};

/** `xen-exporter health`: for health checks of containers. */
export const health: Command = {
  name: 'health',
  description:
    'Checks that a running exporter answers. Exit status: 0 if it does, else 1. For health checks of containers.',
  readsConfigFile: false,
  settings: settingsOf(options),
  run: async ({ given }) => print(await healthOf(parsedUrl(resolveFlags(options, given).url)!)),
};

import { guestOnHost, inNamespace, type Alert } from './alert.ts';

const labelPattern = /\{\{ \$labels\.(\w+)( \| stripPort)? \}\}/g;

const withoutPort = (address: string): string => address.replace(/:\d+$/, '');

/**
 * The summary of an alert as Prometheus would fill it in with labels; the name of the alert if its summary asks for
 * more than labels.
 */
export const titleInWords = (
  { name, summary }: Alert,
  labels: Readonly<Record<'domain' | 'netns' | 'host', string> & Record<string, string>>,
): string => {
  const { domain, netns, host } = labels;
  const namespace = netns === '' ? '' : ` (${netns})`;
  const onHost = host === '' || host === 'unknown' ? '' : ` on ${withoutPort(host)}`;
  const filledLabels = (text: string): string =>
    text.replaceAll(labelPattern, (_, label: string, port?: string) => {
      const value = labels[label] ?? '';
      return port === undefined ? value : withoutPort(value);
    });
  const rest = [guestOnHost, inNamespace].reduce((text, template) => text.replaceAll(template, ''), summary);
  if (rest.replaceAll(labelPattern, '').includes('{{')) return name;
  // Values that are filled in are not searched again: a guest may have any name.
  return summary
    .split(guestOnHost)
    .map((text) => text.split(inNamespace).map(filledLabels).join(namespace))
    .join(`${domain}${namespace}${onHost}`);
};

import type { Cause, Status, Verdict } from './verdict.ts';

const causeInWords = ({ alert, evidence }: Cause): string => `${alert} (${evidence})`;

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** The verdict in one sentence. */
export const summaryOf = (
  { status, guests, hosts, exporters }: Pick<Verdict, 'status' | 'guests' | 'hosts' | 'exporters'>,
  windowSeconds: number,
): string => {
  const seen = [
    ...(guests.length > 0 ? [count(guests.length, 'guest')] : []),
    ...(hosts.length > 0 ? [count(hosts.length, 'host')] : []),
  ].join(' on ');
  const isInTrouble = (each: { status: Status }): boolean => each.status === 'critical' || each.status === 'warning';
  const inTrouble = guests.filter(isInTrouble);
  const [guest] = inTrouble;
  const [host] = hosts.filter(isInTrouble);
  const harms = host?.symptoms[0];
  if (host && harms) {
    const [cause] = host.causes;
    return `Host ${host.instance} harms ${count(harms.value, 'guest')}: ${cause ? causeInWords(cause) : 'no cause found'}.`;
  }
  // A limit of a host concerns all of its guests, one of a guest that guest alone.
  if (host?.causes[0] && !(guest?.status === 'critical' || guest?.symptoms.length))
    return `Host ${host.instance} is at a limit: ${causeInWords(host.causes[0])}.`;
  if (guest) {
    const [symptom] = guest.symptoms;
    const [cause] = guest.causes.filter(({ score }) => score > 1);
    const what = symptom?.title ?? `${guest.name} is at a limit`;
    const others = inTrouble.length > 1 ? ` ${count(inTrouble.length - 1, 'more guest')} in trouble.` : '';
    return `${what}: ${cause ? causeInWords(cause) : 'no cause found'}.${others}`;
  }
  if (status === 'unknown' || seen === '') return 'Nothing could be judged: no exporter of a guest or host was read.';
  const [exporter] = exporters;
  if (status === 'warning' && exporter)
    return `No guest is in trouble, but an exporter is: ${exporter.alert} (${exporter.evidence}).`;
  const [near] = guests
    .flatMap(({ name, causes }) => causes.slice(0, 1).map((cause) => ({ name, cause })))
    .sort((one, other) => other.cause.score - one.cause.score);
  const isOver = near !== undefined && near.cause.score > 1;
  const nearby = near
    ? ` ${isOver ? 'Over a limit, but no alert fires' : 'Nearest to a limit'}: ${near.name}, ${causeInWords(near.cause)}.`
    : '';
  return `No guest is in trouble: ${seen} watched for ${windowSeconds} s.${nearby}`;
};

import fc from 'fast-check';

/** At least one command of each kind that the helper knows (src/host/helper/requests.ts). */
export const knownCommands = [
  'xl list -v',
  'xl list -l',
  'xl info',
  'xl vcpu-list',
  'xl sched-credit2',
  'ovs-appctl dpctl/show',
  'lsevtchn 0',
  'xentrace -X -D -T 1 /dev/null',
  'xen-diag gnttab_query_size 7',
  'xentrace -D -e 0x00021000 -T 3 /dev/stdout',
];

/** Known commands with added, removed or changed letters. */
export const editedCommands = fc
  .tuple(fc.constantFrom(...knownCommands), fc.nat(), fc.nat(2), fc.string({ unit: 'binary', maxLength: 3 }))
  .map(([line, at, length, text]) => {
    const begin = at % (line.length + 1);
    return line.slice(0, begin) + text + line.slice(begin + length);
  });

/** Arbitrary bytes, up to more than a request may have. */
export const anyBytes = fc.uint8Array({ maxLength: 200 });

import type { XlDomain } from '../../formats/xl-list.ts';
import type { BackgroundReading } from '../background-reading.ts';

/** Whose device it is: the value of the label `domain`. */
export interface DeviceOwner {
  readonly label: string;
  /** The domain is the stub domain that runs the device model of the guest that the label names: what its devices count is the guest's. */
  readonly isStub: boolean;
}

const stubSuffix = '-dm';
const maxAsked = 1024;

const byDomidLabel = (domid: number): string => `domid:${domid}`;

/**
 * The label of each domain of a list, by domid. A domain without a name has none until it has one. Of two with the same name, which libxl does
 * not allow but xenstore does, the second goes by its domid: one label never stands for two.
 */
export const domainLabels = (domains: readonly XlDomain[]): Map<number, string> => {
  const labels = new Map<number, string>();
  const taken = new Set<string>();
  for (const { domid, name } of domains) {
    if (name === undefined) continue;
    labels.set(domid, taken.has(name) ? byDomidLabel(domid) : name);
    taken.add(name);
  }
  return labels;
};

/** Whose the devices of each domain are. A stub domain is called as its guest with -dm behind (libxl__stub_dm_name in libxl_dm.c). */
const deviceOwners = (domains: readonly XlDomain[]): Map<number, DeviceOwner> => {
  const labels = domainLabels(domains);
  const all = new Set(labels.values());
  const owners = [...labels].map(([domid, label]) => {
    const guest = label.endsWith(stubSuffix) ? label.slice(0, -stubSuffix.length) : '';
    return [domid, all.has(guest) ? { label: guest, isStub: true } : { label, isStub: false }] as const;
  });
  return new Map(owners);
};

/**
 * The names behind the domids in device names such as vif7.0. A domid is one domain's for as long as it lives, so the last list serves while
 * xl does not answer.
 */
export class DomainDirectory {
  readonly #list: BackgroundReading<readonly XlDomain[]> | undefined;
  readonly #asked = new Set<number>();
  #reading: readonly XlDomain[] | undefined;
  #owners = new Map<number, DeviceOwner>();
  #listed = new Set<number>();

  /** Without a list, as in a driver domain, which cannot read names, labels are made of the domid. */
  constructor(list: BackgroundReading<readonly XlDomain[]> | undefined) {
    this.#list = list;
  }

  /** Whose the devices of this domid are. Undefined where nobody knows yet (a new list is then asked for), or the domain is gone. */
  ownerOf(domid: number): DeviceOwner | undefined {
    if (this.#list === undefined) return { label: byDomidLabel(domid), isStub: false };
    this.#update(this.#list.last);
    if (!this.#listed.has(domid)) this.#askFor(domid, this.#list);
    return this.#owners.get(domid);
  }

  #update(reading: readonly XlDomain[] | undefined): void {
    if (reading === undefined || reading === this.#reading) return;
    this.#reading = reading;
    this.#owners = deviceOwners(reading);
    this.#listed = new Set(reading.map(({ domid }) => domid));
  }

  /** Once for each domid: a device may outlive its domain. */
  #askFor(domid: number, list: BackgroundReading<readonly XlDomain[]>): void {
    if (this.#asked.has(domid)) return;
    if (this.#asked.size >= maxAsked) this.#asked.clear();
    this.#asked.add(domid);
    list.refresh();
  }
}

import { printable } from '../../formats/printable.ts';
import type { XlDomainConfig } from '../../formats/xl-list-long.ts';
import type { XlDomain } from '../../formats/xl-list.ts';
import type { BackgroundReading } from '../background-reading.ts';

/** Owner of a device: the value of the label `domain`. */
export interface DeviceOwner {
  readonly label: string;
  /** The domain is the stub domain that runs the device model of the guest that the label names: what its devices count is the guest's. */
  readonly isStub: boolean;
}

const stubSuffix = '-dm';
const maxAsked = 1024;

const byDomidLabel = (domid: number): string => `domid:${domid}`;
// Each series of a domain has its label. xl prints longer names too: xenstore holds 4096 bytes.
const longestLabel = 255;

/** Whether a name can be a label. `domid:` and `uuid:` begin labels of domains whose names cannot, here and in the collector xcp-rrdd. */
const isUsable = (name: string): boolean =>
  lookOf(name) !== '' && name.length <= longestLabel && !/^(domid|uuid):/i.test(lookOf(name));

/** The same for names that look alike: with letters and spaces of other widths, or accents of their own. */
const lookOf = (name: string): string => name.normalize('NFKC').trim();

/** How much of a guest a domain still is: 3 if it can run, 2 if it is paused or being built, 1 if it has ended, 0 if it is being removed. */
const lifeOf = ({ states: { paused, shutdown, dying }, onlineVcpus }: XlDomain): number => {
  if (dying) return 0;
  if (shutdown) return 1;
  return paused || onlineVcpus === 0 ? 2 : 3;
};

/**
 * The owner of each name or uuid, by domid. Of several domains with the same, such as a guest and what a migration has left of it, the one with the most
 * life owns it, and of several of these the oldest.
 */
const ownersOf = (domains: readonly XlDomain[], key: (domain: XlDomain) => string | undefined): Map<string, number> => {
  const owners = new Map<string, XlDomain>();
  for (const domain of domains) {
    const of = key(domain);
    const owner = of === undefined ? undefined : owners.get(of);
    if (of !== undefined && (owner === undefined || lifeOf(owner) < lifeOf(domain))) owners.set(of, domain);
  }
  return new Map([...owners].map(([of, { domid }]) => [of, domid]));
};

/** The domid of each uuid. A leftover of a migration has the uuid of the guest, but does not own it. */
export const uuidOwners = (domains: readonly XlDomain[]): Map<string, number> => ownersOf(domains, ({ uuid }) => uuid);

/**
 * The label of each domain of a list, by domid. A domain without a name has none until it has one. One whose name is empty, too long, or looks like the
 * label of a domid goes by its own domid. So does one whose name is that of another or looks like it, which libxl does not allow but xenstore does: one label never
 * stands for two.
 */
export const domainLabels = (domains: readonly XlDomain[]): Map<number, string> => {
  const labelOf = ({ name }: XlDomain): string | undefined => (name === undefined ? undefined : printable(name));
  const owners = ownersOf(domains, (domain) => {
    const label = labelOf(domain);
    return label === undefined ? undefined : lookOf(label);
  });
  const labels = new Map<number, string>();
  for (const domain of domains) {
    const label = labelOf(domain);
    if (label === undefined) continue;
    const isOwn = owners.get(lookOf(label)) === domain.domid && isUsable(label);
    labels.set(domain.domid, isOwn ? label : byDomidLabel(domain.domid));
  }
  return labels;
};

/** The toolstack's two lists of domains. */
export interface DomainLists {
  /** `xl list -v`: which domains there are, and what they are called. */
  readonly domains: BackgroundReading<readonly XlDomain[]>;
  /** `xl list -l`: how they were configured. Scheduled, and read early when a domain comes that it lacks. */
  readonly configs: BackgroundReading<readonly XlDomainConfig[]>;
  /** Whether the configuration of a domain that `configs` lacks may still come. */
  isAwaited(domid: number): boolean;
}

/**
 * Owners of the devices of each domain. A stub domain has its guest's name with -dm appended (libxl__stub_dm_name in libxl_dm.c), and any guest may be
 * called so: the configuration of the one without -dm decides. While that is awaited, the owner is unknown.
 */
const deviceOwners = (domains: readonly XlDomain[], { configs, isAwaited }: DomainLists): Map<number, DeviceOwner> => {
  const labels = domainLabels(domains);
  const domids = new Map([...labels].map(([domid, label]) => [label, domid]));
  const configOf = new Map(configs.last?.map((config) => [config.domid, config]));
  const owners = new Map<number, DeviceOwner>();
  for (const [domid, label] of labels) {
    const guest = label.endsWith(stubSuffix) ? label.slice(0, -stubSuffix.length) : '';
    const ofGuest = domids.get(guest);
    const config = ofGuest === undefined ? undefined : configOf.get(ofGuest);
    if (config?.hasStubDomain) owners.set(domid, { label: guest, isStub: true });
    else if (config || ofGuest === undefined || !isAwaited(ofGuest)) owners.set(domid, { label, isStub: false });
  }
  return owners;
};

/**
 * The names behind the domids in device names such as vif7.0. A domid is one domain's for as long as it lives, so the last list serves while
 * xl does not answer.
 */
export class DomainDirectory {
  readonly #lists: DomainLists | undefined;
  readonly #asked = new Set<number>();
  #domains: readonly XlDomain[] | undefined;
  #configs: readonly XlDomainConfig[] | undefined;
  #owners = new Map<number, DeviceOwner>();
  #listed = new Set<number>();

  /** Without lists, as in a driver domain, which cannot read names, labels are made of the domid. */
  constructor(lists: DomainLists | undefined) {
    this.#lists = lists;
  }

  /** Owner of the devices of this domid. Undefined if it is not known yet (then a new list is requested), or if the domain is gone. */
  ownerOf(domid: number): DeviceOwner | undefined {
    if (this.#lists === undefined) return { label: byDomidLabel(domid), isStub: false };
    this.#update(this.#lists);
    if (!this.#listed.has(domid)) this.#askFor(domid, this.#lists.domains);
    return this.#owners.get(domid);
  }

  #update(lists: DomainLists): void {
    const [domains, configs] = [lists.domains.last, lists.configs.last];
    if (domains === undefined || (domains === this.#domains && configs === this.#configs)) return;
    this.#domains = domains;
    this.#configs = configs;
    this.#owners = deviceOwners(domains, lists);
    this.#listed = new Set(domains.map(({ domid }) => domid));
  }

  /** Once for each domid: a device may outlive its domain. */
  #askFor(domid: number, list: BackgroundReading<readonly XlDomain[]>): void {
    if (this.#asked.has(domid)) return;
    if (this.#asked.size >= maxAsked) this.#asked.clear();
    this.#asked.add(domid);
    list.refresh();
  }
}

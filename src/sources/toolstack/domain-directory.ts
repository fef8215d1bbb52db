import { printable } from '../../formats/printable.ts';
import type { XlDomainConfig } from '../../formats/xl-list-long.ts';
import type { XlDomain } from '../../formats/xl-list.ts';
import type { BackgroundReading } from '../background-reading.ts';

/** Owner of a device: the value of the label `domain`. */
export interface DeviceOwner {
  readonly label: string;
  /** True if the domain is the stub domain of the named guest's device model. Its counts belong to the guest. */
  readonly isStub: boolean;
}

const stubSuffix = '-dm';
const maxAsked = 1024;

const byDomidLabel = (domid: number): string => `domid:${domid}`;
// Every series of a domain has its label. xl also prints longer names: xenstore holds 4096 bytes.
const longestLabel = 255;

/**
 * Whether a name can be a label. `domid:` and `uuid:` start labels of domains whose names cannot, here and in the
 * collector xcp-rrdd.
 */
const isUsable = (name: string): boolean =>
  lookOf(name) !== '' && name.length <= longestLabel && !/^(domid|uuid):/i.test(lookOf(name));

/** Equal for names that look alike because of character widths, spaces or combining accents. */
const lookOf = (name: string): string => name.normalize('NFKC').trim();

/**
 * Rank of a domain as its guest: 3 if it can run, 2 if it is paused or being built, 1 if it has ended, 0 if it is being
 * removed.
 */
const lifeOf = ({ states: { paused, shutdown, dying }, onlineVcpus }: XlDomain): number => {
  if (dying) return 0;
  if (shutdown) return 1;
  return paused || onlineVcpus === 0 ? 2 : 3;
};

/**
 * The owner of each name or uuid, by domid. Of several domains with the same, such as a guest and a migration's
 * leftover, the highest rank owns it, and of equal ranks the oldest.
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

/** Domid of each uuid. A migration's leftover has the guest's uuid but does not own it. */
export const uuidOwners = (domains: readonly XlDomain[]): Map<string, number> => ownersOf(domains, ({ uuid }) => uuid);

/**
 * Labels of the domains in a list, by domid. A domain without a name has no label yet. A domain whose name is empty,
 * too long, or looks like a domid's label is named by its domid. So is one whose name equals or resembles another's,
 * which libxl forbids but xenstore allows: a label never names two domains.
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
  /** `xl list -v`: current domains and their names. */
  readonly domains: BackgroundReading<readonly XlDomain[]>;
  /** `xl list -l`: configurations. Scheduled, and read early when an unknown domain appears. */
  readonly configs: BackgroundReading<readonly XlDomainConfig[]>;
  /** Whether `configs` may still receive the missing configuration of a domain. */
  isAwaited(domid: number): boolean;
}

/**
 * Owners of each domain's devices. A stub domain has its guest's name plus -dm (libxl__stub_dm_name in libxl_dm.c), but
 * any guest may use such a name. The configuration of the domain without -dm decides. Until it is known, the owner is
 * unknown.
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
 * Names for the domids in device names such as vif7.0. A domid is unique while its domain lives, so the last list
 * remains valid while xl does not answer.
 */
export class DomainDirectory {
  readonly #lists: DomainLists | undefined;
  readonly #asked = new Set<number>();
  #domains: readonly XlDomain[] | undefined;
  #configs: readonly XlDomainConfig[] | undefined;
  #owners = new Map<number, DeviceOwner>();
  #listed = new Set<number>();

  /** Without lists, as in a driver domain, labels contain the domid instead of a name. */
  constructor(lists: DomainLists | undefined) {
    this.#lists = lists;
  }

  /**
   * Owner of this domid's devices. Undefined if it is not known yet (a new list is then requested) or if the domain is
   * gone.
   */
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

  /** Once per domid, because a device may outlive its domain. */
  #askFor(domid: number, list: BackgroundReading<readonly XlDomain[]>): void {
    if (this.#asked.has(domid)) return;
    if (this.#asked.size >= maxAsked) this.#asked.clear();
    this.#asked.add(domid);
    list.refresh();
  }
}

import { orSkip, ParseError, quote, readRows, refuse, type Skip } from './parse-error.ts';

/** One virtual network device of a domain. */
export interface XlNic {
  /** Index of the device: `1` is the second, vif7.1 in the backend's domain. */
  devid: number;
  mac: string | undefined;
  bridge: string | undefined;
  /** Domain of its netback. */
  backendDomid: number;
  /** Name of the backend's domain if the configuration uses it. libxl does not always store that domain's domid. */
  backendName: string | undefined;
}

/** Configuration of one domain. */
export interface XlDomainConfig {
  domid: number;
  name: string | undefined;
  /** Undefined for Domain-0. */
  uuid: string | undefined;
  type: 'pv' | 'pvh' | 'hvm' | undefined;
  /** Upper limit. Undefined if it is not set or unlimited (a number near 2^64). */
  maxMemoryBytes: number | undefined;
  /** Whether its device model runs in a stub domain. No capture of one from real Xen was available. */
  hasStubDomain: boolean;
  nics: XlNic[];
}

const bytesPerKibibyte = 1024;

/** A value in the document with its path, for messages. */
interface Place {
  value: unknown;
  path: string;
}

const wrong = (expected: string, { value, path }: Place): ParseError =>
  new ParseError(`${expected} as ${path}`, value === undefined ? 'nothing' : quote(JSON.stringify(value)));

const member = (place: Place, key: string): Place => {
  const { value, path } = place;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('an object', place);
  // Before Xen 4.5 unset values are null.
  return { value: (value as Record<string, unknown>)[key] ?? undefined, path: `${path}.${key}` };
};

const elements = (place: Place): Place[] => {
  if (!Array.isArray(place.value)) throw wrong('an array', place);
  return place.value.map((value: unknown, index) => ({ value, path: `${place.path}[${index}]` }));
};

// Some other toolstacks write numbers as text.
const numberOf = (value: unknown): unknown =>
  typeof value === 'string' && /^\d{1,20}$/.test(value) ? Number(value) : value;

const integer = (place: Place): number => {
  const value = numberOf(place.value);
  if (!Number.isInteger(value) || (value as number) < 0) throw wrong('a whole number', place);
  return value as number;
};

const optionalInteger = (place: Place): number | undefined => (place.value === undefined ? undefined : integer(place));

const memoryBytes = (place: Place): number | undefined => {
  const bytes = (optionalInteger(place) ?? NaN) * bytesPerKibibyte;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};

const string = (place: Place): string | undefined => {
  if (place.value !== undefined && typeof place.value !== 'string') throw wrong('a string', place);
  return place.value;
};

const domainType = (type: string | undefined): XlDomainConfig['type'] =>
  type === 'pv' || type === 'pvh' || type === 'hvm' ? type : undefined;

// libxl omits defaults (libxl_types.idl, device_nic). Before Xen 4.5 it prints them: devid -1 for a device without a
// number yet, backend 0.
const nic = (place: Place): XlNic | undefined => {
  const devid = member(place, 'devid');
  if (devid.value === undefined || devid.value === -1) return undefined;
  return {
    devid: integer(devid),
    mac: string(member(place, 'mac')),
    bridge: string(member(place, 'bridge')),
    backendDomid: optionalInteger(member(place, 'backend_domid')) ?? 0,
    backendName: string(member(place, 'backend_domname')),
  };
};

const nics = (config: Place, skip: Skip): XlNic[] => {
  const list = member(config, 'nics');
  const places = list.value === undefined ? [] : (orSkip(skip, () => elements(list)) ?? []);
  return readRows(places, nic, skip).filter((each) => each !== undefined);
};

const domain = (place: Place, skip: Skip): XlDomainConfig => {
  const config = member(place, 'config');
  const [info, build] = [member(config, 'c_info'), member(config, 'b_info')];
  return {
    domid: integer(member(place, 'domid')),
    name: orSkip(skip, () => string(member(info, 'name'))),
    uuid: orSkip(skip, () => string(member(info, 'uuid'))),
    type: orSkip(skip, () => domainType(string(member(info, 'type')))),
    maxMemoryBytes: orSkip(skip, () => memoryBytes(member(build, 'max_memkb'))),
    // A libxl_defbool: "True", "False" or absent (libxl_types.idl).
    hasStubDomain: orSkip(skip, () => member(build, 'device_model_stubdomain').value === 'True') ?? false,
    nics: nics(config, skip),
  };
};

/**
 * Parses the JSON configurations of `xl list -l` (tools/xl/xl_info.c, list_domains_details). No other source
 * distinguishes HVM from PVH. Domains without a libxl configuration are absent. Broken domains, devices and values go
 * to `skip`. Throws ParseError.
 */
export const parseXlListLong = (text: string, skip = refuse): XlDomainConfig[] => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ParseError('JSON', quote(text, 'no output'));
  }
  return readRows(elements({ value, path: 'domains' }), (place) => domain(place, skip), skip);
};

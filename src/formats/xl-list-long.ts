import { orSkip, ParseError, quote, readRows, refuse, type Skip } from './parse-error.ts';

/** One virtual network device of a domain. */
export interface XlNic {
  /** `1` is the second: vif7.1 in the backend's domain. */
  devid: number;
  mac: string | undefined;
  bridge: string | undefined;
  /** The domain of its netback. */
  backendDomid: number;
  /** The same by name, where the configuration gives it so; which domid that is, libxl does not always write down. */
  backendName: string | undefined;
}

/** Configuration of one domain. */
export interface XlDomainConfig {
  domid: number;
  name: string | undefined;
  /** Undefined for Domain-0. */
  uuid: string | undefined;
  type: 'pv' | 'pvh' | 'hvm' | undefined;
  /** Upper limit. Undefined if it is not set, or means no limit (a number near 2^64). */
  maxMemoryBytes: number | undefined;
  /** Its device model runs in a stub domain. No capture of one from real Xen was available. */
  hasStubDomain: boolean;
  nics: XlNic[];
}

const bytesPerKibibyte = 1024;

/** A value inside the document, and where it is, for the message. */
interface Place {
  value: unknown;
  path: string;
}

const wrong = (expected: string, { value, path }: Place): ParseError =>
  new ParseError(`${expected} as ${path}`, value === undefined ? 'nothing' : quote(JSON.stringify(value)));

const member = (place: Place, key: string): Place => {
  const { value, path } = place;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('an object', place);
  // Before Xen 4.5 what is not set is null.
  return { value: (value as Record<string, unknown>)[key] ?? undefined, path: `${path}.${key}` };
};

const elements = (place: Place): Place[] => {
  if (!Array.isArray(place.value)) throw wrong('an array', place);
  return place.value.map((value: unknown, index) => ({ value, path: `${place.path}[${index}]` }));
};

// Some other toolstacks write numbers as texts.
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

// libxl leaves out what is at its default (libxl_types.idl, device_nic), and before Xen 4.5 prints it: -1 for devid, a device that has no number yet; 0 for
// the backend.
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
    // A libxl_defbool: "True", "False", or left out (libxl_types.idl).
    hasStubDomain: orSkip(skip, () => member(build, 'device_model_stubdomain').value === 'True') ?? false,
    nics: nics(config, skip),
  };
};

/**
 * The configurations that `xl list -l` prints, as JSON (tools/xl/xl_info.c, list_domains_details). Of HVM and PVH this alone tells the
 * difference. Domains that libxl has no configuration of are missing. Broken domains, devices and values go to `skip`. Throws ParseError.
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

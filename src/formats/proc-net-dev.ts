import { parseCounter } from './integer.ts';
import { ParseError, quote } from './parse-error.ts';

/**
 * Counters of one network device, u64, since the device was made; a vif's start again when its frontend reconnects. Directions are those
 * of this machine: on a vif of Dom0, `receive` is what the guest sent.
 */
export interface NetDevice {
  receiveBytes: number;
  receivePackets: number;
  receiveErrors: number;
  /** rx_dropped and rx_missed_errors together. */
  receiveDropped: number;
  transmitBytes: number;
  transmitPackets: number;
  transmitErrors: number;
  transmitDropped: number;
}

// Every row has all of these; what no collector reads is checked and not kept.
const columns = [
  'receiveBytes',
  'receivePackets',
  'receiveErrors',
  'receiveDropped',
  'receiveFifoErrors',
  'receiveFrameErrors',
  'receiveCompressed',
  'receiveMulticast',
  'transmitBytes',
  'transmitPackets',
  'transmitErrors',
  'transmitDropped',
  'transmitFifoErrors',
  'transmitCollisions',
  'transmitCarrierErrors',
  'transmitCompressed',
];

const headings = ['Inter-|', ' face |'];

/**
 * /proc/net/dev (net/core/net-procfs.c, dev_seq_printf_stats): two lines of headings, then one per device, by name of the device.
 * Throws ParseError.
 */
export const parseNetDev = (text: string): Map<string, NetDevice> => {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  headings.forEach((heading, index) => {
    const line = lines[index] ?? '';
    if (!line.startsWith(heading)) throw new ParseError(`a line "${heading}..."`, quote(line, 'nothing'));
  });
  const devices = new Map<string, NetDevice>();
  for (const line of lines.slice(headings.length)) {
    // The last colon: names of aliases have one themselves, and old kernels left no space between it and eight digits.
    const colon = line.lastIndexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim();
    const values = line
      .slice(colon + 1)
      .trim()
      .split(/ +/);
    if (name === '' || values.length !== columns.length) {
      throw new ParseError(`a line "name: ..." of ${columns.length} counters`, quote(line, 'an empty line'));
    }
    const counters = columns.map((column, index) => parseCounter(values[index]!, `${name} ${column}`));
    devices.set(name, {
      receiveBytes: counters[0]!,
      receivePackets: counters[1]!,
      receiveErrors: counters[2]!,
      receiveDropped: counters[3]!,
      transmitBytes: counters[8]!,
      transmitPackets: counters[9]!,
      transmitErrors: counters[10]!,
      transmitDropped: counters[11]!,
    });
  }
  return devices;
};

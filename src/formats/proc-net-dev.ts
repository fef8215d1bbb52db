import { parseCounter } from './integer.ts';
import { fileLines } from './output-lines.ts';
import { orSkip, ParseError, quote, readRows, refuse, type Skip } from './parse-error.ts';

/**
 * Counters of one network device, u64, since its creation. A vif's counters restart when its frontend reconnects.
 * Directions are this machine's: on a vif of Dom0, `receive` is what the guest sent. Undefined values were skipped.
 */
export interface NetDevice {
  receiveBytes: number | undefined;
  receivePackets: number | undefined;
  receiveErrors: number | undefined;
  /** Sum of rx_dropped and rx_missed_errors. */
  receiveDropped: number | undefined;
  transmitBytes: number | undefined;
  transmitPackets: number | undefined;
  transmitErrors: number | undefined;
  transmitDropped: number | undefined;
}

// Every row has all of these. Columns that no collector reads are checked but not kept.
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

const parseRow = (line: string, skip: Skip): [name: string, device: NetDevice] => {
  // The last colon: alias names contain one, and old kernels put no space between it and eight digits.
  const colon = line.lastIndexOf(':');
  const name = line.slice(0, Math.max(colon, 0)).trim();
  const values = line
    .slice(colon + 1)
    .trim()
    .split(/ +/);
  if (name === '' || values.length !== columns.length) {
    throw new ParseError(`a line "name: ..." of ${columns.length} counters`, quote(line));
  }
  const counters = columns.map((column, index) =>
    orSkip(skip, () => parseCounter(values[index]!, `${name} ${column}`)),
  );
  return [
    name,
    {
      receiveBytes: counters[0],
      receivePackets: counters[1],
      receiveErrors: counters[2],
      receiveDropped: counters[3],
      transmitBytes: counters[8],
      transmitPackets: counters[9],
      transmitErrors: counters[10],
      transmitDropped: counters[11],
    },
  ];
};

/**
 * Parses /proc/net/dev (net/core/net-procfs.c, dev_seq_printf_stats): two heading lines, then one line per device. Keys
 * are device names. Broken rows and numbers go to `skip`. Throws ParseError.
 */
export const parseNetDev = (text: string, skip = refuse): Map<string, NetDevice> => {
  const lines = fileLines(text);
  headings.forEach((heading, index) => {
    const line = lines[index] ?? '';
    if (!line.startsWith(heading)) throw new ParseError(`a line "${heading}..."`, quote(line, 'nothing'));
  });
  return new Map(readRows(lines.slice(headings.length), (line) => parseRow(line, skip), skip));
};

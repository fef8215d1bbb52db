import { crc32 } from 'node:zlib';

/** A datasource of a plugin. */
export interface Datasource {
  name: string;
  owner: string;
  value: number;
  valueType?: string;
  description?: string;
}

/** Deviations from a plugin's file. */
export interface Deviations {
  timestamp?: Uint8Array;
  count?: number;
  metadata?: string;
  metadataBytes?: number;
  dataCrc?: number;
  metadataCrc?: number;
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const float64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
};

const int64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};

/** Timestamps of xapi up to 24.39, and from 24.40 on. */
export const timestampOf = { int64, double: float64 };

/** Like ds_to_json in ocaml/xcp-rrdd/lib/transport/base/rrd_json.ml. */
const datasourceJson = ({ name, owner, value, valueType = 'float', description = '' }: Datasource): string => {
  const fields = {
    ...(description !== '' && { description }),
    owner,
    value: valueType === 'float' ? value.toFixed(2) : String(value),
    value_type: valueType,
    type: 'derive',
    default: 'false',
    units: '(fraction)',
    min: '0.00',
    max: '1.00',
  };
  return `${JSON.stringify(name)}:${JSON.stringify(fields)}`;
};

export const metadataOf = (datasources: readonly Datasource[]): string =>
  `{"datasources":{${datasources.map(datasourceJson).join(',')}}}`;

/**
 * A file like those of xcp-rrdd plugins in /dev/shm/metrics. No real one is public: this follows write_payload in
 * ocaml/xcp-rrdd/lib/transport/base/rrd_protocol_v2.ml of xapi-project/xen-api. Zeros follow, as in the pages of a real
 * one.
 */
export const xcpRrddFile = (
  timestampSeconds: number,
  datasources: readonly Datasource[],
  deviations: Deviations = {},
  zeros = 4096,
): Buffer => {
  const values = datasources.map(({ value, valueType }) => (valueType === 'int64' ? int64(value) : float64(value)));
  const data = Buffer.concat([deviations.timestamp ?? timestampOf.double(timestampSeconds), ...values]);
  const metadata = Buffer.from(deviations.metadata ?? metadataOf(datasources));
  return Buffer.concat([
    Buffer.from('DATASOURCES'),
    uint32(deviations.dataCrc ?? crc32(data)),
    uint32(deviations.metadataCrc ?? crc32(metadata)),
    uint32(deviations.count ?? datasources.length),
    data,
    uint32(deviations.metadataBytes ?? metadata.length),
    metadata,
    Buffer.alloc(zeros),
  ]);
};

import type { TempTree } from '../../tools/lib/fake-host.ts';
import { readText } from '../../tools/lib/fixture.ts';

const captured = (command: string): string => readText(`hosts/credit-storm/commands/${command}`);

/** Makes domu2 in a copy of credit-storm the stub domain of domu1, by name and by domu1's configuration. */
export const addStubDomain = (tree: TempTree): TempTree =>
  tree.write({
    'commands/xl list -v': captured('xl list -v').replace(/^domu2 {3}/m, 'domu1-dm'),
    'commands/xl list -l': captured('xl list -l').replace(
      /("domid": 1,[^]*?"b_info": \{)/,
      '$1 "device_model_stubdomain": "True",',
    ),
  });

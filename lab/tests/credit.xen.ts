import { describeHost } from './describe-host.ts';

describeHost('credit');

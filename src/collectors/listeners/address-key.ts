import type { ListenerSocket } from '../../formats/listener-socket.ts';

/** A text that is the same for the same local address and port, whatever socket has them. */
export const addressKey = ({ family, address, port }: Pick<ListenerSocket, 'family' | 'address' | 'port'>): string =>
  `${family} ${address} ${port}`;

import { clientAuthTypes, type WebConfig } from './web-config.ts';

/** The demands of a config on clients, each with its key in the web config file. */
const demandsOf = ({ tls, users }: WebConfig): string[] => {
  const demands: string[] = [];
  if (users.size > 0) demands.push('users (basic_auth_users)');
  if (tls === undefined) return demands;
  const { requires, verifies } = clientAuthTypes[tls.clientAuth];
  demands.push('TLS (tls_server_config)');
  if (requires) demands.push('a client certificate (client_auth_type)');
  if (verifies) demands.push('certificates of the client CA (client_auth_type)');
  if (tls.allowedSans !== undefined) demands.push('allowed names (client_allowed_sans)');
  return demands;
};

/**
 * The demands on clients that `next` drops. A file read while an editor writes it can look as if it had none. Removing
 * some users drops no demand, so access can be revoked.
 */
export const droppedDemands = (current: WebConfig, next: WebConfig): string[] => {
  const kept = new Set(demandsOf(next));
  return demandsOf(current).filter((demand) => !kept.has(demand));
};

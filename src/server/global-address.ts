import ipaddr from 'ipaddr.js';

/** Public by its range, but the host of every virtual machine in Azure: it answers what no other may ask. */
const AZURE_HOST = '168.63.129.16';

/**
 * Whether an IP address is one of the public internet's. Ranges of special use (RFC 6890) are not, nor is an IPv4
 * address in the clothes of an IPv6 one: those reach what the IPv4 one reaches.
 */
export function isGlobalAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast' || address.toString() === AZURE_HOST) return false;
  // 2000::/3 is all of IPv6 that has been given out for unicast.
  return address.kind() === 'ipv4' || address.match(ipaddr.parse('2000::'), 3);
}

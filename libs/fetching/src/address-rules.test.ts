import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AddressRules, isPublicAddress } from './address-rules.ts';

test.each(['1.1.1.1', '93.184.215.14', '172.15.255.255', '172.32.0.0', '2606:4700::1111', '2a00:1450::1'])(
  '%s is public',
  (address) => expect(isPublicAddress(address)).toBe(true),
);

test.each([
  ['this network', '0.0.0.0'],
  ['loopback', '127.0.0.1'],
  ['private', '10.1.2.3'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['shared by carriers', '100.64.0.1'],
  ['a cloud’s metadata', '169.254.169.254'],
  ['a cloud’s metadata', '100.100.100.200'],
  ['a cloud’s metadata', '192.0.0.192'],
  ['a cloud’s metadata', '168.63.129.16'],
  ['a cloud’s metadata', 'fd00:ec2::254'],
  ['multicast', '224.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['private', 'fd12::1'],
  ['link-local', 'fe80::1'],
  ['link-local, with a zone', 'fe80::1%eth0'],
  ['a zone behind a public address', '2606:4700::1111%1'],
  ['site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
  ['mapped IPv4', '::ffff:127.0.0.1'],
  ['mapped IPv4', '::ffff:7f00:1'],
  ['mapped public IPv4', '::ffff:1.1.1.1'],
  ['compatible IPv4', '::127.0.0.1'],
  ['translated IPv4', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['local NAT64', '64:ff9b:1::7f00:1'],
  ['6to4', '2002:7f00:1::'],
  ['Teredo', '2001:0:7f00:1::'],
  ['documentation', '2001:db8::1'],
  ['no address', 'localhost'],
  ['no address', '127.1'],
  ['no address', ''],
])('%s (%s) is not public', (_what, address) => expect(isPublicAddress(address)).toBe(false));

test('no IPv4 address becomes public by how IPv6 embeds it', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.constantFrom('::ffff:', '::', '64:ff9b::', '::ffff:0:'), (address, prefix) => {
      expect(isPublicAddress(prefix + address)).toBe(false);
    }),
  );
});

test('what is allowed is allowed, by name, address and subnet, and nothing beside it', () => {
  const rules = new AddressRules(['Images.internal', '127.0.0.1', '10.1.0.0/16', 'fd00::/8']);
  expect(rules.allowsHost('images.INTERNAL')).toBe(true);
  expect(rules.allowsHost('other.internal')).toBe(false);
  for (const address of ['127.0.0.1', '10.1.255.255', 'fd12::1', '1.1.1.1']) {
    expect(rules.allowsAddress(address)).toBe(true);
  }
  for (const address of ['127.0.0.2', '10.2.0.0', 'fe80::1', 'nonsense']) {
    expect(rules.allowsAddress(address)).toBe(false);
  }
});

test.each(['10.0.0.0/33', '10.0.0.0/8/8', 'http://a', 'a b', '', '::1/129', 'fe80::1%eth0', '*.internal'])(
  'allowing %j is refused',
  (entry) =>
    expect(() => new AddressRules([entry])).toThrow(expect.objectContaining({ code: 'invalid_config' })),
);

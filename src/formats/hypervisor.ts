import { ParseError, quote } from './parse-error.ts';

/**
 * Features that Xen offers this domain, from /sys/hypervisor/properties/features. Bits:
 * include/xen/interface/features.h.
 */
export interface XenFeatures {
  /**
   * XENFEAT_hvm_callback_vector, bit 8: events arrive through their own interrupt vector. PVH and HVM guests, not PV.
   */
  hvmCallbackVector: boolean;
  /** XENFEAT_dom0, bit 11: this is Dom0. */
  dom0: boolean;
}

/**
 * Parses /sys/hypervisor/properties/features (drivers/xen/sys-hypervisor.c, features_show): words of eight hex digits,
 * highest first, without separators. Xen 4.17 has one word. Throws ParseError.
 */
export const parseFeatures = (text: string): XenFeatures => {
  const digits = text.trim();
  if (!/^(?:[0-9a-f]{8})+$/.test(digits)) throw new ParseError('words of eight hex digits', quote(text));
  const word = Number.parseInt(digits.slice(-8), 16);
  const has = (bit: number): boolean => ((word >>> bit) & 1) === 1;
  return { hvmCallbackVector: has(8), dom0: has(11) };
};

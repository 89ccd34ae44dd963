package sensors

import "errors"

var errCRC = errors.New("a check sum is wrong: are the bus's wires too long, or its pull-ups too weak?")

// crc8 is the check sum that Sensirion, Aosong and TE use, with the polynomial x^8 + x^5 + x^4 + 1. What it begins with differs.
func crc8(begin byte, data []byte) byte {
	c := begin
	for _, b := range data {
		c ^= b
		for range 8 {
			high := c & 0x80
			c <<= 1
			if high != 0 {
				c ^= 0x31
			}
		}
	}
	return c
}

// words gives the 16-bit words, high byte first, of what a part sent: a check sum follows each word.
func words(begin byte, sent []byte) ([]uint16, error) {
	var all []uint16
	for ; len(sent) >= 3; sent = sent[3:] {
		if crc8(begin, sent[:2]) != sent[2] {
			return nil, errCRC
		}
		all = append(all, uint16(sent[0])<<8|uint16(sent[1]))
	}
	return all, nil
}

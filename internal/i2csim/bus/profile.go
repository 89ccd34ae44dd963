package bus

import "syscall"

// Functionality bits, as in linux/i2c.h.
const (
	funcI2C           = 0x00000001
	funcTenBit        = 0x00000002
	funcMangling      = 0x00000004
	funcPEC           = 0x00000008
	funcNoStart       = 0x00000010
	funcBlockProcCall = 0x00008000
	funcQuick         = 0x00010000
	funcByte          = 0x00060000
	funcByteData      = 0x00180000
	funcWordData      = 0x00600000
	funcProcCall      = 0x00800000
	funcReadBlock     = 0x01000000
	funcWriteBlock    = 0x02000000
	funcI2CBlock      = 0x0c000000

	funcEmul = funcQuick | funcByte | funcByteData | funcWordData | funcProcCall |
		funcWriteBlock | funcI2CBlock | funcPEC
)

// Profile is the manners of a controller and its kernel driver.
type Profile struct {
	Adapter  string // its name in sysfs
	Funcs    uint64
	AddrNack syscall.Errno // nobody answers to the address
	DataNack syscall.Errno // a byte is refused

	BlockRead bool // knows RecvLen
	ReadLast  bool // only the last message may be a read
	OneTarget bool // all messages go to one address
	NoEmpty   bool // messages have data
}

// Profiles are the controllers of the Raspberry Pi, from the drivers of
// Linux 6.12.
var Profiles = map[string]Profile{
	// i2c-bcm2835: Raspberry Pi 1 to 4.
	"bcm2835": {
		Adapter:  "bcm2835 (i2c@7e804000)",
		Funcs:    funcI2C | funcEmul,
		AddrNack: EREMOTEIO,
		DataNack: EREMOTEIO,
		ReadLast: true,
	},
	// i2c-designware: Raspberry Pi 5.
	"designware": {
		Adapter: "Synopsys DesignWare I2C adapter",
		Funcs: funcI2C | funcTenBit | funcByte | funcByteData | funcWordData |
			funcReadBlock | funcWriteBlock | funcI2CBlock,
		AddrNack:  EREMOTEIO,
		DataNack:  EREMOTEIO,
		BlockRead: true,
		OneTarget: true,
		NoEmpty:   true,
	},
	// i2c-gpio: any two lines, by software.
	"gpio": {
		Adapter: "i2c-gpio",
		Funcs: funcI2C | funcTenBit | funcMangling | funcNoStart | funcEmul |
			funcReadBlock | funcBlockProcCall,
		AddrNack:  syscall.ENXIO,
		DataNack:  syscall.EIO,
		BlockRead: true,
	},
}

// refuse tells what the driver says of messages that it cannot send.
func (p *Profile) refuse(msgs []Msg) syscall.Errno {
	for i := range msgs {
		switch {
		case p.ReadLast && msgs[i].read() && i < len(msgs)-1,
			p.NoEmpty && len(msgs[i].Buf) == 0:
			return syscall.EOPNOTSUPP
		case p.OneTarget && msgs[i].Addr != msgs[0].Addr:
			return syscall.EINVAL
		}
	}
	return 0
}

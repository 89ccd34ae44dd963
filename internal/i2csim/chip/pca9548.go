package chip

import "errors"

// Mux is a chip that joins other buses to its own.
type Mux interface {
	Chip
	// Channels are those that are joined, a bit each.
	Channels() byte
}

// pca9548 is the multiplexer with eight channels, also called TCA9548 (NXP, PCA9548A data sheet, Rev. 5.1).
type pca9548 struct {
	control byte // as written
	joined  byte // since the last STOP: 7.3
}

func newPCA9548(Env) *pca9548 { return &pca9548{} }

func (p *pca9548) Reset() { p.control, p.joined = 0, 0 }

func (p *pca9548) Start(bool) bool { return true }

func (p *pca9548) Write(b byte) bool {
	p.control = b
	return true
}

func (p *pca9548) Read() byte { return p.control }

func (p *pca9548) Stop() { p.joined = p.control }

func (p *pca9548) Channels() byte { return p.joined }

func (p *pca9548) Vars() []Var {
	return []Var{
		{
			Name: "channels", Help: "a bit for each that is joined, as somebody else has left them",
			Get: func([]string) (string, error) { return hex(p.joined), nil },
			Set: func(args []string) error {
				if len(args) != 1 {
					return errors.New("wants one number")
				}
				v, err := number(args[0], 0xff)
				if err == nil {
					p.control, p.joined = byte(v), byte(v)
				}
				return err
			},
		},
	}
}

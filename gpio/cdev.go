package gpio

// CharDev names a chip of the kernel's GPIO character device: by label, or by path.
type CharDev struct {
	Labels []string // in order of preference; of the chips with the first label that is here, the one with the most lines
	Device string   // path, such as /dev/gpiochip2; if it is not empty, Labels does not matter
}

// HeaderLabels are the labels of the chip behind a Raspberry Pi's header: Zero to 3, 4, 5. Its offsets are the GPIO numbers.
var HeaderLabels = []string{"pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"}

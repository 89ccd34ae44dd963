package sensors

import "flag"

var update = flag.Bool("update", false, "write what is measured into the documentation")

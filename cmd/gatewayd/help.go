package main

import (
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/peterbourgon/ff/v3/ffcli"
)

// helpText is what --help shows of a command. (ffcli's own writes switches as -print=false.)
func helpText(c *ffcli.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: %s\n", c.ShortHelp, c.ShortUsage)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(c.Subcommands) > 0 {
		fmt.Fprint(table, "\nCommands:\n")
		for _, sub := range c.Subcommands {
			fmt.Fprintf(table, "  %s\t%s\n", sub.Name, sub.ShortHelp)
		}
	}
	first := true
	c.FlagSet.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(table, "\nFlags:\n")
			first = false
		}
		value, text := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if len(f.Name) == 1 {
			name = name[1:]
		}
		if f.DefValue != "" && f.DefValue != "false" {
			text += " (" + f.DefValue + " unless said)"
		}
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace(name+" "+strings.ToUpper(value)), text)
	})
	if len(c.Subcommands) > 0 {
		fmt.Fprintf(table, "\n%s COMMAND --help shows a command's flags.\n", c.Name)
	}
	table.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

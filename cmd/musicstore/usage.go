package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Errors of wrong usage. Each says which words or values are right; run adds which help to read.

// noArgs refuses all words after a command.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}

		return fmt.Errorf("%s %q: must be one of %s", cmd.Name(), args[0], strings.Join(names, ", "))
	default:
		return fmt.Errorf("%s takes no arguments, but got %q", cmd.Name(), args[0])
	}
}

// refuseUnknownWords has the commands that cobra makes, help and completion, refuse the words that it would ignore.
func refuseUnknownWords(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = noArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return fmt.Errorf("there is no command %q", strings.Join(args, " "))
				}

				return nil
			}
		}
	}
}

// oneArg wants one word after a command.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return fmt.Errorf("%s needs a %s", cmd.Name(), name)
		default:
			return fmt.Errorf("%s takes one %s, but got %d", cmd.Name(), name, len(args))
		}
	}
}

// oneOf refuses two flags of the same group.
func oneOf(cmd *cobra.Command, groups [][]string) error {
	for _, group := range groups {
		var set []string
		for _, name := range group {
			if cmd.Flags().Changed(name) {
				set = append(set, "--"+name)
			}
		}
		if len(set) > 1 {
			return fmt.Errorf("%s: use only one of these flags", strings.Join(set, ", "))
		}
	}

	return nil
}

// badFlag says which values a flag can have.
func badFlag(_ *cobra.Command, err error) error {
	wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	must := map[string]string{
		"int": "a whole number", "bool": "true or false", "duration": "a duration such as 500ms, 30s or 5m",
	}[wrong.GetFlag().Value.Type()]
	if must == "" {
		return err
	}

	return fmt.Errorf("--%s %.100q: must be %s", wrong.GetFlag().Name, wrong.GetValue(), must)
}

// Real Go clients of Kubernetes, and its own codecs, for PyKube's tests to compare with.
package main

import (
	"fmt"
	"os"
	"strconv"
)

func main() {
	var err error
	switch os.Args[1] {
	case "table":
		err = writeTable(os.Stdout)
	case "golden":
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		err = writeGolden(os.Stdout, seed, 3)
	case "clients":
		err = clients(os.Args[2], os.Args[3:])
	case "operator":
		err = operate(os.Args[2])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

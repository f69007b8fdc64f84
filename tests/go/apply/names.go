package main

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

func friendlyName(name string) string {
	i := strings.LastIndex(name, "/")
	path, last := name[:i], name[i+1:]
	parts := strings.Split(path, "/")
	if strings.Contains(parts[0], ".") {
		host := strings.Split(parts[0], ".")
		for a, b := 0, len(host)-1; a < b; a, b = a+1, b-1 {
			host[a], host[b] = host[b], host[a]
		}
		parts[0] = strings.Join(host, ".")
	}
	return strings.Join(parts, ".") + "." + last
}

func modelName(o runtime.Object) string {
	t := reflect.TypeOf(o).Elem()
	return friendlyName(t.PkgPath() + "." + t.Name())
}

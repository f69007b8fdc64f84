// The worst costs of rules, for tests/unit/cel_estimates.json: {"Schema": openAPIV3Schema, "Rules": [...]} in, a list out.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

func main() {
	var in struct {
		Schema apiextv1.JSONSchemaProps
		Rules  []string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		panic(err)
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&in.Schema, &internal, nil); err != nil {
		panic(err)
	}
	out := []map[string]any{}
	for _, rule := range in.Rules {
		internal.XValidations = apiextensions.ValidationRules{{Rule: rule}}
		s, err := schema.NewStructural(&internal)
		if err != nil {
			panic(err)
		}
		d := model.SchemaDeclType(s, true)
		res, err := cel.Compile(s, d, 1000000, environment.MustBaseEnvSet(version.MajorMinor(1, 33), true), cel.NewExpressionsEnvLoader())
		if err != nil {
			panic(err)
		}
		row := map[string]any{"rule": rule, "cost": fmt.Sprint(res[0].MaxCost), "cardinality": fmt.Sprint(res[0].MaxCardinality)}
		if res[0].Error != nil {
			row["error"] = res[0].Error.Error()
		}
		out = append(out, row)
	}
	b, _ := json.Marshal(out)
	fmt.Println(string(b))
}

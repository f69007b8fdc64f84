// The reference for tests/unit/test_apply_answers.py: upstream's field manager, asked what it makes of scenarios.
//
//	GOFLAGS=-mod=mod go build -o ref .   # needs k8s.io/kubernetes v1.34.1 and its staging modules from the module proxy
//	./ref run < scenarios.json           # [{"name", "schema" (a custom resource's; {}: none; absent: built-in), "steps"}]
//	./ref zero                           # every kind's blank object (apimachinery/apply/blanks.py)
//	./ref keys                           # defaults of fields that are keys of lists (apimachinery/apply/types.py)
//
// A step is {"op": create|update|apply, "manager", "subresource", "version", "kind", "object", "force", "reset": [path]};
// its answer {"object", "managed"} or {"error", "status"}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	extinstall "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	regscheme "k8s.io/kube-aggregator/pkg/apis/apiregistration/install"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	"k8s.io/kubernetes/pkg/generated/openapi"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

type object = map[string]interface{}

type step struct {
	Op      string     `json:"op"` // create, update, apply
	Manager string     `json:"manager"`
	Sub     string     `json:"subresource"`
	Version string     `json:"version"` // apiVersion
	Kind    string     `json:"kind"`
	Object  object     `json:"object"`
	Force   bool       `json:"force"`
	Reset   [][]string `json:"reset"`
}

type scenario struct {
	Name   string `json:"name"`
	Schema object `json:"schema"` // of a custom resource; absent: built-in
	Steps  []step `json:"steps"`
}

type answer struct {
	Object  object                      `json:"object,omitempty"`
	Managed []metav1.ManagedFieldsEntry `json:"managed,omitempty"`
	Error   string                      `json:"error,omitempty"`
	Status  interface{}                 `json:"status,omitempty"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func models() map[string]*spec.Schema {
	defs := openapi.GetOpenAPIDefinitions(func(name string) spec.Ref {
		return spec.MustCreateRef("#/components/schemas/" + friendly(name))
	})
	out := map[string]*spec.Schema{}
	for name, d := range defs {
		d := d
		s := d.Schema
		if v3, ok := d.Schema.Extensions[common.ExtensionV2Schema]; ok {
			_ = v3
		}
		out[friendly(name)] = &s
	}
	return out
}

func friendly(name string) string {
	// k8s.io/api/core/v1.Pod -> io.k8s.api.core.v1.Pod
	return friendlyName(name)
}

func main() {
	s := legacyscheme.Scheme
	extinstall.Install(s)
	regscheme.Install(s)
	ms := models()
	for gvk, t := range s.AllKnownTypes() {
		_ = t
		if gvk.Version == runtime.APIVersionInternal {
			continue
		}
		o, err := s.New(gvk)
		must(err)
		n := modelName(o)
		if m, ok := ms[n]; ok {
			m.AddExtension("x-kubernetes-group-version-kind", append(gvks(m), map[string]interface{}{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}))
		}
	}
	tc, err := managedfields.NewTypeConverter(ms, false)
	must(err)
	switch os.Args[1] {
	case "zero":
		zero(s)
	case "keys":
		keys(ms)
	case "run":
		run(s, tc)
	}
}

func gvks(m *spec.Schema) []interface{} {
	if v, ok := m.Extensions["x-kubernetes-group-version-kind"]; ok {
		return v.([]interface{})
	}
	return nil
}

func zero(s *runtime.Scheme) {
	out := map[string]interface{}{}
	for gvk := range s.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal {
			continue
		}
		o, err := s.New(gvk)
		must(err)
		if _, ok := o.(metav1.Object); !ok {
			if _, ok := o.(metav1.ObjectMetaAccessor); !ok {
				continue
			}
		}
		v, err := value.NewValueReflect(o)
		must(err)
		out[gvk.GroupVersion().String()+"/"+gvk.Kind] = v.Unstructured()
	}
	b, _ := json.Marshal(out)
	fmt.Println(string(b))
}

func keys(ms map[string]*spec.Schema) {
	out := map[string]interface{}{}
	for name, m := range ms {
		for f, p := range m.Properties {
			ks, ok := p.Extensions["x-kubernetes-list-map-keys"]
			if !ok {
				if k, o2 := p.Extensions["x-kubernetes-patch-merge-key"]; o2 {
					ks = []interface{}{k}
				} else {
					continue
				}
			}
			item := p.Items.Schema
			r := item.Ref.String()
			if r == "" && len(item.AllOf) == 1 {
				r = item.AllOf[0].Ref.String()
			}
			im := ms[r[len("#/components/schemas/"):]]
			d := map[string]interface{}{}
			for _, k := range ks.([]interface{}) {
				d[k.(string)] = im.Properties[k.(string)].Default
			}
			out[name+"."+f] = map[string]interface{}{"item": r[len("#/components/schemas/"):], "defaults": d}
		}
	}
	b, _ := json.MarshalIndent(out, "", " ")
	fmt.Println(string(b))
}

func gvkOf(st step) schema.GroupVersionKind {
	gv, err := schema.ParseGroupVersion(st.Version)
	must(err)
	return gv.WithKind(st.Kind)
}

type unstructuredConvertor struct{}

func (unstructuredConvertor) Convert(in, out, context interface{}) error { return fmt.Errorf("no") }
func (unstructuredConvertor) ConvertToVersion(in runtime.Object, gv runtime.GroupVersioner) (runtime.Object, error) {
	return in.DeepCopyObject(), nil
}
func (unstructuredConvertor) ConvertFieldLabel(gvk schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

type unstructuredCreater struct{}

func (unstructuredCreater) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{Object: object{}}
	u.SetGroupVersionKind(kind)
	return u, nil
}

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

func run(s *runtime.Scheme, tc managedfields.TypeConverter) {
	in := bufio.NewReader(os.Stdin)
	var scenarios []scenario
	must(json.NewDecoder(in).Decode(&scenarios))
	out := [][]answer{}
	for _, sc := range scenarios {
		out = append(out, play(s, tc, sc))
	}
	b, _ := json.Marshal(out)
	fmt.Println(string(b))
}

func play(s *runtime.Scheme, builtin managedfields.TypeConverter, sc scenario) []answer {
	var answers []answer
	var live runtime.Object // internal, or unstructured
	custom := sc.Schema != nil
	for _, st := range sc.Steps {
		gvk := gvkOf(st)
		hub := schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal}
		reset := map[fieldpath.APIVersion]*fieldpath.Set{}
		if len(st.Reset) > 0 {
			set := fieldpath.NewSet()
			for _, p := range st.Reset {
				var path fieldpath.Path
				for _, e := range p {
					path = append(path, fieldpath.FieldNameElement(e))
				}
				set.Insert(path)
			}
			reset[fieldpath.APIVersion(gvk.GroupVersion().String())] = set
		}
		filters := fieldpath.NewExcludeFilterSetMap(reset)
		var fm *managedfields.FieldManager
		var err error
		if custom {
			var conv managedfields.TypeConverter
			if len(sc.Schema) == 0 {
				conv = managedfields.NewDeducedTypeConverter()
			} else {
				var sch spec.Schema
				b, _ := json.Marshal(sc.Schema)
				must(json.Unmarshal(b, &sch))
				sch.AddExtension("x-kubernetes-group-version-kind", []interface{}{map[string]interface{}{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}})
				conv, err = managedfields.NewTypeConverter(map[string]*spec.Schema{"it": &sch}, false)
				must(err)
			}
			fm, err = managedfields.NewDefaultCRDFieldManager(conv, unstructuredConvertor{}, noDefaults{}, unstructuredCreater{}, gvk, gvk.GroupVersion(), st.Sub, filters)
		} else {
			fm, err = managedfields.NewDefaultFieldManager(builtin, s, s, s, gvk, hub, st.Sub, filters)
		}
		must(err)
		var obj runtime.Object
		u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(fix(st.Object))}
		u.SetGroupVersionKind(gvk)
		var before runtime.Object
		if live != nil {
			before = live.DeepCopyObject()
		}
		var zeroObj runtime.Object
		if custom {
			zeroObj, _ = unstructuredCreater{}.New(gvk)
		} else {
			zeroObj, err = s.New(gvk)
			must(err)
		}
		switch st.Op {
		case "create", "update":
			if custom {
				obj = u
			} else {
				typed, err := s.New(gvk)
				must(err)
				must(runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, typed))
				s.Default(typed)
				obj, err = s.ConvertToVersion(typed, hub)
				must(err)
			}
			from := before
			if from == nil {
				from = zeroObj
			}
			obj = fm.UpdateNoErrors(from, obj, st.Manager)
		case "apply":
			from := before
			if from == nil {
				from = zeroObj
			}
			obj, err = fm.Apply(from, u, st.Manager, st.Force)
		}
		if err != nil {
			a := answer{Error: err.Error()}
			if se, ok := err.(interface{ Status() metav1.Status }); ok {
				a.Status = se.Status()
			}
			answers = append(answers, a)
			continue
		}
		live = obj
		if !custom {
			if in, err2 := s.ConvertToVersion(obj, hub); err2 == nil {
				live = in
			}
			obj, err = s.ConvertToVersion(live, gvk.GroupVersion())
			must(err)
		}
		b, err := json.Marshal(obj)
		must(err)
		var o object
		must(json.Unmarshal(b, &o))
		acc, _ := meta.Accessor(obj)
		answers = append(answers, answer{Object: o, Managed: acc.GetManagedFields()})
	}
	return answers
}

// fix turns whole float64 numbers into int64, as the API's decoder does.
func fix(o object) object {
	return fixed(o).(object)
}

func fixed(v interface{}) interface{} {
	switch t := v.(type) {
	case map[string]interface{}:
		out := object{}
		ks := []string{}
		for k := range t {
			ks = append(ks, k)
		}
		sort.Strings(ks)
		for _, k := range ks {
			out[k] = fixed(t[k])
		}
		return out
	case []interface{}:
		out := make([]interface{}, len(t))
		for i := range t {
			out[i] = fixed(t[i])
		}
		return out
	case float64:
		if t == float64(int64(t)) {
			return int64(t)
		}
	}
	return v
}

using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>What the API server and its built-in admission fill in, as recorded from v1.36.2.</summary>
internal static class PodDefaults
{
    private static readonly string[] s_probes = ["startupProbe", "livenessProbe", "readinessProbe"];
    private static readonly string[] s_fileSources = ["secret", "configMap", "projected", "downwardAPI"];
    private static readonly string[] s_guaranteed = ["cpu", "memory"];

    public static void Apply(JsonObject pod, EmbeddedClusterOptions options)
    {
        var spec = pod.Ensure("spec");
        foreach (var container in Containers(spec))
        {
            Container(container);
        }

        if (!options.ContainerRestartRules)
        {
            DropRestartRules(spec);
        }

        Volumes(spec);
        Default(spec, "restartPolicy", "Always");
        Default(spec, "terminationGracePeriodSeconds", 30);
        Default(spec, "dnsPolicy", "ClusterFirst");
        Default(spec, "serviceAccountName", spec.Text("serviceAccount") ?? "default");
        Default(spec, "serviceAccount", spec.Text("serviceAccountName")!);
        Default(spec, "securityContext", new JsonObject());
        Default(spec, "schedulerName", "default-scheduler");
        Default(spec, "priority", 0);
        Default(spec, "enableServiceLinks", true);
        Default(spec, "preemptionPolicy", "PreemptLowerPriority");
        Tolerate(spec, "node.kubernetes.io/not-ready");
        Tolerate(spec, "node.kubernetes.io/unreachable");
    }

    public static JsonObject InitialStatus(JsonObject pod) => new() { ["phase"] = "Pending", ["qosClass"] = QosClass(pod) };

    public static IEnumerable<JsonObject> Containers(JsonObject spec) =>
        (spec.Items("initContainers") ?? []).Concat(spec.Items("containers") ?? []).OfType<JsonObject>();

    /// <summary>The API server writes these two, also where they are not set.</summary>
    public static void Conditions(JsonObject pod)
    {
        foreach (var condition in pod.At("status").Items("conditions")?.OfType<JsonObject>() ?? [])
        {
            condition.TryAdd("lastProbeTime", null);
            condition.TryAdd("lastTransitionTime", null);
        }
    }

    private static void Container(JsonObject container)
    {
        var image = container.Text("image") ?? "";
        var tag = image[(image.LastIndexOf('/') + 1)..];
        var latest = !image.Contains('@', StringComparison.Ordinal)
            && (!tag.Contains(':', StringComparison.Ordinal) || tag.EndsWith(":latest", StringComparison.Ordinal));
        Default(container, "resources", new JsonObject());
        Default(container, "terminationMessagePath", "/dev/termination-log");
        Default(container, "terminationMessagePolicy", "File");
        Default(container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
        var resources = container.At("resources");
        foreach (var (name, value) in resources.At("limits")?.ToArray() ?? [])
        {
            Default(resources!.Ensure("requests"), name, value!.DeepClone());
        }

        foreach (var port in container.Items("ports")?.OfType<JsonObject>() ?? [])
        {
            Default(port, "protocol", "TCP");
        }

        foreach (var env in container.Items("env")?.OfType<JsonObject>() ?? [])
        {
            if (env.At("valueFrom").At("fieldRef") is { } reference)
            {
                Default(reference, "apiVersion", "v1");
            }
        }

        foreach (var probe in s_probes.Select(container.At).OfType<JsonObject>())
        {
            Default(probe, "timeoutSeconds", 1);
            Default(probe, "periodSeconds", 10);
            Default(probe, "successThreshold", 1);
            Default(probe, "failureThreshold", 3);
            if (probe.At("httpGet") is { } get)
            {
                Default(get, "path", "/");
                Default(get, "scheme", "HTTP");
            }
        }
    }

    /// <summary>Without the gate the fields are dropped and nobody is told; only a sidecar keeps its restartPolicy.</summary>
    private static void DropRestartRules(JsonObject spec)
    {
        var init = spec.Items("initContainers")?.OfType<JsonObject>().ToHashSet() ?? [];
        foreach (var container in Containers(spec))
        {
            container.Remove("restartPolicyRules");
            if (!init.Contains(container) || container.Text("restartPolicy") != "Always")
            {
                container.Remove("restartPolicy");
            }
        }
    }

    private static void Volumes(JsonObject spec)
    {
        foreach (var volume in spec.Items("volumes")?.OfType<JsonObject>() ?? [])
        {
            if (volume.Count == 1)
            {
                volume["emptyDir"] = new JsonObject();
            }

            foreach (var source in s_fileSources.Select(volume.At).OfType<JsonObject>())
            {
                Default(source, "defaultMode", 420);
            }
        }
    }

    private static void Tolerate(JsonObject spec, string key)
    {
        var tolerations = spec.Items("tolerations");
        if (tolerations is null)
        {
            spec["tolerations"] = tolerations = [];
        }

        var present = tolerations.OfType<JsonObject>().Any(t =>
            (t.Text("key") == key || string.IsNullOrEmpty(t.Text("key"))) && t.Text("effect") is null or "" or "NoExecute");
        if (!present)
        {
            tolerations.Add(new JsonObject
            {
                ["key"] = key,
                ["operator"] = "Exists",
                ["effect"] = "NoExecute",
                ["tolerationSeconds"] = 300,
            });
        }
    }

    private static string QosClass(JsonObject pod)
    {
        var all = Containers(pod.Ensure("spec")).Select(c => c.At("resources")).ToList();
        if (all.TrueForAll(r => r.At("requests") is null or { Count: 0 } && r.At("limits") is null or { Count: 0 }))
        {
            return "BestEffort";
        }

        var guaranteed = all.TrueForAll(r => s_guaranteed.All(name =>
            r.At("limits")?[name] is { } limit && JsonNode.DeepEquals(limit, r.At("requests")?[name])));
        return guaranteed ? "Guaranteed" : "Burstable";
    }

    private static void Default(JsonObject obj, string name, JsonNode value)
    {
        if (obj[name] is null)
        {
            obj[name] = value;
        }
    }
}

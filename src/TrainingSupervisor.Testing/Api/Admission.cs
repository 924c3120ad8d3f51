using System.Text;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Defaults, validation and what each kind of update may change.</summary>
internal sealed class Admission(EmbeddedClusterOptions options, ObjectStore store)
{
    public void Create(ResourceType type, JsonObject obj)
    {
        var metadata = obj.Metadata();
        foreach (var field in (ReadOnlySpan<string>)["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields"])
        {
            metadata.Remove(field);
        }

        Default(type, obj);
        if (type == ResourceType.Pods)
        {
            metadata["generation"] = 1;
            ResolvePriority(obj);
            obj["status"] = PodDefaults.InitialStatus(obj);
        }

        var errors = new List<FieldError>();
        MetadataValidation.Check(type, obj, errors);
        if (type == ResourceType.Pods)
        {
            PodValidation.Check(obj, options, errors);
        }

        Throw(type, obj, errors);
    }

    private void ResolvePriority(JsonObject pod)
    {
        var spec = pod.Ensure("spec");
        if (spec.Text("priorityClassName") is not { Length: > 0 } name)
        {
            return;
        }

        if (name is "system-cluster-critical" or "system-node-critical")
        {
            spec["priority"] = name == "system-node-critical" ? 2_000_001_000 : 2_000_000_000;
            return;
        }

        var found = store.Get(ResourceType.PriorityClasses, null, name) ?? throw ApiError.Of(403, "Forbidden",
            $"pods \"{pod.Name()}\" is forbidden: no PriorityClass with name {name} was found",
            new JsonObject { ["name"] = pod.Name(), ["kind"] = "pods" });
        spec["priority"] = found.Number("value") ?? 0;
        spec["preemptionPolicy"] = found.Text("preemptionPolicy") ?? "PreemptLowerPriority";
    }

    /// <summary>What is stored of an update: the main resource keeps the status, the status subresource keeps all else.</summary>
    public JsonObject Update(ResourceType type, JsonObject current, JsonObject wanted, bool status)
    {
        if (status)
        {
            var kept = current.Clone();
            kept["status"] = wanted["status"]?.DeepClone();
            if (type == ResourceType.Pods)
            {
                PodDefaults.Conditions(kept);
            }

            return kept;
        }

        Default(type, wanted);
        var metadata = wanted.Metadata();
        foreach (var field in (ReadOnlySpan<string>)["deletionTimestamp", "deletionGracePeriodSeconds", "generation"])
        {
            metadata.Remove(field);
            if (current.At("metadata")?[field] is { } value)
            {
                metadata[field] = value.DeepClone();
            }
        }

        if (type == ResourceType.Pods || type == ResourceType.Nodes || type == ResourceType.Namespaces || type == ResourceType.Services)
        {
            wanted.Remove("status");
            if (current["status"] is { } value)
            {
                wanted["status"] = value.DeepClone();
            }
        }

        var errors = new List<FieldError>();
        MetadataValidation.Check(type, wanted, errors);
        if (type == ResourceType.Pods)
        {
            PodValidation.CheckUpdate(current, wanted, errors);
            if (errors.Count == 0 && !JsonNode.DeepEquals(current["spec"], wanted["spec"]))
            {
                metadata["generation"] = (metadata.Number("generation") ?? 0) + 1;
            }
        }

        Throw(type, wanted, errors);
        return wanted;
    }

    private void Default(ResourceType type, JsonObject obj)
    {
        if (type == ResourceType.Pods)
        {
            PodDefaults.Apply(obj, options);
        }
        else if (type == ResourceType.Events)
        {
            obj.TryAdd("eventTime", null);
            obj["reportingComponent"] ??= "";
            obj["reportingInstance"] ??= "";
        }
        else if (type == ResourceType.Secrets)
        {
            obj["type"] ??= "Opaque";
            foreach (var (name, value) in obj.At("stringData") ?? [])
            {
                obj.Ensure("data")[name] = Convert.ToBase64String(Encoding.UTF8.GetBytes(value!.GetValue<string>()));
            }

            obj.Remove("stringData");
        }
        else if (type == ResourceType.Services)
        {
            var spec = obj.Ensure("spec");
            spec["type"] ??= "ClusterIP";
            spec["sessionAffinity"] ??= "None";
            foreach (var port in spec.Items("ports")?.OfType<JsonObject>() ?? [])
            {
                port["protocol"] ??= "TCP";
                port["targetPort"] ??= port["port"]?.DeepClone();
            }
        }
    }

    private static void Throw(ResourceType type, JsonObject obj, List<FieldError> errors)
    {
        if (errors.Count > 0)
        {
            throw ApiError.Invalid(type, obj.Name(), errors);
        }
    }
}

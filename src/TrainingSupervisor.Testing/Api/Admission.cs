using System.Text;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Api;

/// <summary>Defaults, validation and what each kind of update may change.</summary>
internal sealed class Admission(EmbeddedClusterOptions options)
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

    /// <summary>What is stored of an update: the main resource keeps the status, the status subresource keeps all else.</summary>
    public JsonObject Update(ResourceType type, JsonObject current, JsonObject wanted, bool status)
    {
        if (status)
        {
            var kept = current.Clone();
            kept["status"] = wanted["status"]?.DeepClone();
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

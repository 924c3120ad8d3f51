using System.Text.Json.Nodes;

namespace TrainingSupervisor.Testing.Storage;

/// <summary>What a DELETE does, and what the garbage collector does after it.</summary>
internal sealed partial class ObjectStore
{
    /// <summary>
    /// The DELETE of the API: a scheduled Pod that still runs is only marked, and its kubelet removes it; everything else,
    /// and anything with a grace period of zero, goes at once. Returns the object and whether it is gone.
    /// </summary>
    /// <exception cref="ApiError">404, or 409 when a precondition does not hold.</exception>
    public (JsonObject Object, bool Removed) Delete(ResourceType type, string? ns, string name, DeleteOptions? options = null)
    {
        options ??= new();
        lock (_gate)
        {
            var current = Get(type, ns, name) ?? throw ApiError.NotFound(type, name);
            Check(type, current, options);
            if (options.Orphan)
            {
                OrphanDependents(current.Uid());
            }

            var grace = type == ResourceType.Pods ? Grace(current, options.GracePeriodSeconds) : 0;
            var finalizers = current.At("metadata").Items("finalizers") is { Count: > 0 };

            // A Pod is marked before it goes, also when it goes at once: a watcher sees both.
            if (grace == 0 && !finalizers && type != ResourceType.Pods)
            {
                return (Remove(type, ns, name)!, true);
            }

            // A second delete may shorten the grace period but never extend it.
            if (current.At("metadata").Number("deletionGracePeriodSeconds") is { } before && before <= grace)
            {
                return (current, false);
            }

            var marked = Update(type, ns, name, obj => Mark(obj, grace));
            return (marked, Get(type, ns, name) is null);
        }
    }

    private JsonObject Mark(JsonObject obj, long grace)
    {
        var metadata = obj.Metadata();
        metadata["deletionTimestamp"] = Json.Time(_time.GetUtcNow().AddSeconds(grace));
        metadata["deletionGracePeriodSeconds"] = grace;
        if (metadata.Number("generation") is { } generation)
        {
            metadata["generation"] = generation + 1;
        }

        return obj;
    }

    private static long Grace(JsonObject pod, long? asked)
    {
        var scheduled = !string.IsNullOrEmpty(pod.At("spec").Text("nodeName"));
        var ended = pod.At("status").Text("phase") is "Succeeded" or "Failed";
        return !scheduled || ended ? 0 : Math.Max(0, asked ?? pod.At("spec").Number("terminationGracePeriodSeconds") ?? 30);
    }

    private static void Check(ResourceType type, JsonObject current, DeleteOptions options)
    {
        if (options.Uid is { } uid && uid != current.Uid())
        {
            throw ApiError.Precondition(type, current.Name(),
                $"the UID in the precondition ({uid}) does not match the UID in record ({current.Uid()}). The object might have been deleted and then recreated");
        }

        var version = current.At("metadata").Text("resourceVersion");
        if (options.ResourceVersion is { } expected && expected != version)
        {
            throw ApiError.Precondition(type, current.Name(),
                $"the ResourceVersion in the precondition ({expected}) does not match the ResourceVersion in record ({version}). The object might have been modified");
        }
    }

    /// <summary>An object that waited only for its finalizers goes when the last of them is taken off.</summary>
    private void RemoveIfFinished(ResourceType type, Stored stored)
    {
        var metadata = stored.Object.At("metadata");
        if (metadata.Text("deletionTimestamp") is not null
            && metadata.Number("deletionGracePeriodSeconds") is null or 0
            && metadata.Items("finalizers") is null or { Count: 0 })
        {
            Remove(type, stored.Key.Namespace, stored.Key.Name);
        }
    }

    private void LinkOwners(ResourceType type, Stored stored)
    {
        foreach (var owner in Owners(stored.Object))
        {
            if (!_dependents.TryGetValue(owner, out var dependents))
            {
                _dependents[owner] = dependents = [];
            }

            dependents.Add((type, stored.Key));
        }
    }

    private void UnlinkOwners(ResourceType type, Stored stored)
    {
        foreach (var owner in Owners(stored.Object))
        {
            if (_dependents.TryGetValue(owner, out var dependents) && dependents.Remove((type, stored.Key)) && dependents.Count == 0)
            {
                _dependents.Remove(owner);
            }
        }
    }

    private void CollectDependents(string? owner)
    {
        if (owner is null || !_dependents.TryGetValue(owner, out var dependents))
        {
            return;
        }

        foreach (var (type, key) in dependents.ToArray())
        {
            if (_buckets[type].Objects.TryGetValue(key, out var stored))
            {
                CollectIfOrphan(type, stored);
            }
        }
    }

    /// <summary>The collector deletes an object when none of the owners it names exists any more, also one created too late.</summary>
    private void CollectIfOrphan(ResourceType type, Stored stored)
    {
        var references = stored.Object.At("metadata").Items("ownerReferences");
        if (references is null or { Count: 0 } || references.OfType<JsonObject>().Any(r => OwnerMayExist(r, stored.Key.Namespace)))
        {
            return;
        }

        Delete(type, stored.Key.Namespace, stored.Key.Name);
    }

    private bool OwnerMayExist(JsonObject reference, string ns)
    {
        var type = ResourceType.All.FirstOrDefault(t => t.Kind == reference.Text("kind") && t.ApiVersion == reference.Text("apiVersion"));

        // A kind that is not stored here cannot be judged: leave its dependents alone.
        return type is null
            || Get(type, type.Namespaced ? ns : null, reference.Text("name") ?? "")?.Uid() == reference.Text("uid");
    }

    private void OrphanDependents(string? owner)
    {
        if (owner is null || !_dependents.TryGetValue(owner, out var dependents))
        {
            return;
        }

        foreach (var (type, key) in dependents.ToArray())
        {
            Update(type, key.Namespace, key.Name, obj =>
            {
                var left = obj.At("metadata").Items("ownerReferences")!
                    .OfType<JsonObject>().Where(r => r.Text("uid") != owner).Select(r => r.DeepClone()).ToArray();
                obj.Metadata()["ownerReferences"] = new JsonArray(left);
                return obj;
            });
        }
    }

    private static IEnumerable<string> Owners(JsonObject obj) =>
        obj.At("metadata").Items("ownerReferences")?.OfType<JsonObject>().Select(r => r.Text("uid")).OfType<string>() ?? [];
}

/// <summary>The part of a DeleteOptions body that the embedded cluster honours.</summary>
internal sealed record DeleteOptions(
    long? GracePeriodSeconds = null, string? Uid = null, string? ResourceVersion = null, bool Orphan = false);

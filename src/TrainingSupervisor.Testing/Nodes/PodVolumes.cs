using System.Text;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>The volumes of one Pod as directories of this machine.</summary>
internal sealed class PodVolumes(ObjectStore store, ImageStore images, string podDirectory)
{
    private readonly string _root = Path.Combine(podDirectory, "volumes");

    /// <summary>Makes or refreshes all volumes.</summary>
    /// <exception cref="MissingReferenceException">An object that a volume needs is not there (yet).</exception>
    public void Refresh(JsonObject pod, string podIp, string hostIp)
    {
        foreach (var volume in Volumes(pod))
        {
            var directory = Path.Combine(_root, volume.Text("name")!);
            if (volume.At("hostPath") is { } host)
            {
                CreateHostPath(host);
            }
            else if (Sources(volume) is { } sources)
            {
                AtomicFiles.Write(directory, Project(pod, volume, sources, podIp, hostIp));
            }
            else if (volume.At("image") is null)
            {
                Directory.CreateDirectory(directory);
            }
        }
    }

    /// <summary>The image of the first image volume that cannot be had, or null.</summary>
    public string? MissingImage(JsonObject pod) =>
        Volumes(pod).Select(v => v.At("image").Text("reference")).OfType<string>()
            .FirstOrDefault(r => !images.CanPull(r) || images.DirectoryOf(r) is null);

    public static bool RefersTo(JsonObject pod, ResourceType type, string name) =>
        Volumes(pod).Any(v => Sources(v)?.Any(s => Reference(s) is var (t, n, _) && t == type && n == name) ?? false);

    /// <summary>Where a container's mounts are on this machine.</summary>
    public MountPaths Mounts(JsonObject pod, JsonObject container)
    {
        var volumes = Volumes(pod).ToDictionary(v => v.Text("name")!);
        var result = new Dictionary<string, string>();
        foreach (var mount in container.Items("volumeMounts")?.OfType<JsonObject>() ?? [])
        {
            if (volumes.TryGetValue(mount.Text("name") ?? "", out var volume))
            {
                var directory = DirectoryOf(volume);
                if (mount.Text("subPath") is { Length: > 0 } sub)
                {
                    directory = Path.Combine(directory, sub);
                    if (volume["emptyDir"] is not null && !Path.Exists(directory))
                    {
                        Directory.CreateDirectory(directory);
                    }
                }

                result[mount.Text("mountPath")!] = directory;
            }
        }

        return new(result);
    }

    /// <summary>The bytes in an emptyDir.</summary>
    public long SizeOf(string volume)
    {
        var directory = new DirectoryInfo(Path.Combine(_root, volume));
        try
        {
            return directory.Exists ? directory.EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.LinkTarget is null ? f.Length : 0) : 0;
        }
        catch (IOException)
        {
            // Something was deleted meanwhile; the next look will tell.
            return 0;
        }
    }

    private static IEnumerable<JsonObject> Volumes(JsonObject pod) => pod.At("spec").Items("volumes")?.OfType<JsonObject>() ?? [];

    private string DirectoryOf(JsonObject volume) =>
        volume.At("hostPath").Text("path")
        ?? (volume.At("image").Text("reference") is { } image ? images.DirectoryOf(image) : null)
        ?? Path.Combine(_root, volume.Text("name")!);

    private static void CreateHostPath(JsonObject host)
    {
        if (host.Text("type") == "DirectoryOrCreate")
        {
            Directory.CreateDirectory(host.Text("path")!);
        }
    }

    private static JsonObject[]? Sources(JsonObject volume)
    {
        if (volume.At("projected") is { } projected)
        {
            return [.. projected.Items("sources")?.OfType<JsonObject>() ?? []];
        }

        return volume.At("secret") is not null || volume.At("configMap") is not null || volume.At("downwardAPI") is not null ? [volume] : null;
    }

    private static (ResourceType Type, string Name, JsonObject Source)? Reference(JsonObject source) =>
        source.At("secret") is { } secret ? (ResourceType.Secrets, secret.Text("secretName") ?? secret.Text("name") ?? "", secret)
        : source.At("configMap") is { } map ? (ResourceType.ConfigMaps, map.Text("name") ?? "", map)
        : null;

    private Dictionary<string, VolumeFile> Project(JsonObject pod, JsonObject volume, JsonObject[] sources, string podIp, string hostIp)
    {
        var files = new Dictionary<string, VolumeFile>();
        var mode = volume.At("projected").Number("defaultMode");
        foreach (var source in sources)
        {
            if (Reference(source) is var (type, name, reference))
            {
                AddKeys(files, pod.Namespace() ?? "default", type, name, reference, mode);
            }

            foreach (var item in source.At("downwardAPI").Items("items")?.OfType<JsonObject>() ?? [])
            {
                var value = FieldReference.Read(pod, item.At("fieldRef").Text("fieldPath") ?? "", podIp, hostIp);
                files[item.Text("path")!] = new(Encoding.UTF8.GetBytes(value), (int)(item.Number("mode") ?? mode ?? 0x1A4));
            }
        }

        return files;
    }

    private void AddKeys(Dictionary<string, VolumeFile> files, string ns, ResourceType type, string name, JsonObject source, long? defaultMode)
    {
        var optional = PodEnvironment.IsOptional(source);
        if (PodEnvironment.Bytes(store, type, ns, name) is not { } data)
        {
            if (!optional)
            {
                throw new MissingReferenceException($"{PodEnvironment.Kind(type)} \"{name}\" not found");
            }

            return;
        }

        var mode = source.Number("defaultMode") ?? defaultMode ?? 0x1A4;
        if (source.Items("items") is not { Count: > 0 } items)
        {
            foreach (var (key, value) in data)
            {
                files[key] = new(value, (int)mode);
            }

            return;
        }

        foreach (var item in items.OfType<JsonObject>())
        {
            if (data.TryGetValue(item.Text("key")!, out var value))
            {
                files[item.Text("path")!] = new(value, (int)(item.Number("mode") ?? mode));
            }
            else if (!optional)
            {
                throw new MissingReferenceException($"references non-existent {PodEnvironment.Kind(type)} key: {item.Text("key")}");
            }
        }
    }
}

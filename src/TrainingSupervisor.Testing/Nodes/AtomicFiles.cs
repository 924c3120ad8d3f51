using System.Globalization;
using TrainingSupervisor.Testing.Runtime;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>
/// Writes the files of a volume as the kubelet does: into a new directory, to which the link <c>..data</c> is then turned
/// by one rename; the files themselves are links through it. A reader sees the old files or the new, never both.
/// </summary>
internal static class AtomicFiles
{
    private static long s_counter;

    public static void Write(string directory, IReadOnlyDictionary<string, VolumeFile> files)
    {
        Directory.CreateDirectory(directory);
        var data = Path.Combine(directory, "..data");
        var old = new DirectoryInfo(data).LinkTarget;
        if (old is not null && IsSame(Path.Combine(directory, old), files))
        {
            return;
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"..{Interlocked.Increment(ref s_counter):D10}");
        foreach (var (path, file) in files)
        {
            var target = Path.Combine(directory, name, path);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, file.Content);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(target, (UnixFileMode)file.Mode);
            }
        }

        Directory.CreateDirectory(Path.Combine(directory, name));
        var next = Path.Combine(directory, "..data_tmp");
        File.Delete(next);
        File.CreateSymbolicLink(next, name);
        if (Libc.Rename(next, data) != 0)
        {
            throw new IOException($"Cannot replace {data}.");
        }

        Link(directory, files);
        if (old is not null)
        {
            Directory.Delete(Path.Combine(directory, old), recursive: true);
        }
    }

    private static void Link(string directory, IReadOnlyDictionary<string, VolumeFile> files)
    {
        var wanted = files.Keys.Select(p => p.Split('/')[0]).ToHashSet();
        foreach (var entry in Directory.EnumerateFileSystemEntries(directory).Select(e => Path.GetFileName(e)!).ToArray())
        {
            if (!entry.StartsWith("..", StringComparison.Ordinal) && !wanted.Remove(entry))
            {
                File.Delete(Path.Combine(directory, entry));
            }
        }

        foreach (var entry in wanted)
        {
            File.CreateSymbolicLink(Path.Combine(directory, entry), Path.Combine("..data", entry));
        }
    }

    private static bool IsSame(string directory, IReadOnlyDictionary<string, VolumeFile> files) =>
        Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Count() == files.Count
        && files.All(f => File.Exists(Path.Combine(directory, f.Key))
            && File.ReadAllBytes(Path.Combine(directory, f.Key)).AsSpan().SequenceEqual(f.Value.Content));
}

/// <summary>One file of a projected volume.</summary>
internal sealed record VolumeFile(byte[] Content, int Mode);

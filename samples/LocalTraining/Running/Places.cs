using System.Reflection;

namespace LocalTraining.Running;

/// <summary>Where the build has put what this sample runs.</summary>
internal static class Places
{
    public static string AgentDirectory => Metadata("AgentDirectory");
    public static string Trainer => Metadata("Trainer");

    /// <summary>What the model is trained on: this repository's own words.</summary>
    public static IReadOnlyList<string> CopyText(string directory)
    {
        var root = Metadata("RepositoryRoot");
        var files = Directory.EnumerateFiles(root, "README.md").Concat(Directory.EnumerateFiles(Path.Combine(root, "docs"), "*.md"));
        var copies = new List<string>();
        foreach (var file in files)
        {
            copies.Add(Path.Combine(directory, Path.GetFileName(file)));
            File.Copy(file, copies[^1]);
        }

        copies.Sort(StringComparer.Ordinal);
        return copies;
    }

    private static string Metadata(string key) =>
        typeof(Places).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value!;
}

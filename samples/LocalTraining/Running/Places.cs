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
        var copies = new List<string>();
        void Copy(string file, string name)
        {
            copies.Add(Path.Combine(directory, name));
            File.Copy(file, copies[^1]);
        }

        Copy(Path.Combine(root, "README.md"), "README.md");
        foreach (var file in Directory.EnumerateFiles(Path.Combine(root, "docs"), "*.md").Order(StringComparer.Ordinal)) Copy(file, $"docs-{Path.GetFileName(file)}");
        return copies;
    }

    private static string Metadata(string key) =>
        typeof(Places).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value!;
}

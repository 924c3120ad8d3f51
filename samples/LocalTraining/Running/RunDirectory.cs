namespace LocalTraining.Running;

/// <summary>
/// A temporary directory that goes with the run. A run that is killed cannot delete its own, so the next one does: whose owner lives holds a lock.
/// </summary>
internal sealed class RunDirectory : IDisposable
{
    private const string Prefix = "local-training-";
    private const string LockName = "owner.lock";
    private readonly bool _keep;
    private readonly FileStream _lock;

    public RunDirectory(bool keep)
    {
        Sweep();
        _keep = keep;
        Path = Directory.CreateTempSubdirectory(Prefix).FullName;
        _lock = new FileStream(System.IO.Path.Combine(Path, LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
    }

    public string Path { get; }

    public string Subdirectory(string name) => Directory.CreateDirectory(System.IO.Path.Combine(Path, name)).FullName;

    public void Dispose()
    {
        _lock.Dispose();
        // A kept directory has no lock file, and no later run takes it for a leftover.
        File.Delete(System.IO.Path.Combine(Path, LockName));
        if (_keep) Console.WriteLine($"kept: {Path}");
        else Directory.Delete(Path, recursive: true);
    }

    private static void Sweep()
    {
        foreach (var directory in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), Prefix + "*"))
        {
            try
            {
                using (new FileStream(System.IO.Path.Combine(directory, LockName), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                {
                    // Nobody holds it.
                }

                Directory.Delete(directory, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Held, kept, or another user's.
            }
        }
    }
}

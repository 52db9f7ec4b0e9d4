<#
.SYNOPSIS
Installs Octaskly on this Windows device, from a dispatcher on the network or from a release.

.DESCRIPTION
Finds out what the device is, downloads, checks, tries the new program, and only then puts it into its place. It needs no
administrator: the program goes to %LOCALAPPDATA%\Programs\octaskly, and that directory onto the user's Path. Windows
PowerShell 5.1 and PowerShell 7. What it goes by is what install.sh goes by; docs/INSTALL.md says what that keeps out.

.EXAMPLE
& ([scriptblock]::Create((irm http://DISPATCHER:3000/install.ps1))) -Join TOKEN
#>
param(
  # Let it join as a worker with a token of "octaskly invite".
  [string] $Join = '',
  # Keep that worker running as a service.
  [switch] $Service,
  # Do not ask whether to.
  [switch] $NoService,
  # http://HOST:3000 of a dispatcher, the address of a release, or its directory.
  [string] $From = '',
  # Take this version only.
  [string] $Version = '',
  # Install to this directory.
  [string] $Prefix = '',
  # SHA-256 that SHA256SUMS of the dispatcher, or manifest.json of the release, must have.
  [string] $Sums = '',
  # Take a release from an address although its signature is not checked: Windows has nothing that could.
  [switch] $InsecureNoSignature,
  # Remove the program, its place on Path and its service.
  [switch] $Uninstall,
  # With -Uninstall: also remove .octaskly in the home directory, the data.
  [switch] $Purge,
  # Say each step and do none.
  [switch] $DryRun,
  # Say only what goes wrong.
  [switch] $Quiet
)

# One script block that is called at the end: of a script that was cut off on its way, nothing runs.
$octasklyInstall = {
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Written by whoever hands this script out; empty in the repository.
$baked_base = ''
$baked_pin = ''
$baked_key = ''
$baked_version = ''

function Write-Step([string] $Text) { if (-not $Quiet) { Write-Host $Text } }

function Get-Sha256([string] $Path) { (Get-FileHash -Algorithm SHA256 -LiteralPath $Path).Hash.ToLowerInvariant() }

function Get-Sha256OfBytes([byte[]] $Bytes) {
  $hasher = [System.Security.Cryptography.SHA256]::Create()
  try { return ([BitConverter]::ToString($hasher.ComputeHash($Bytes)) -replace '-', '').ToLowerInvariant() }
  finally { $hasher.Dispose() }
}

function Get-Target {
  # A 32-bit PowerShell on a 64-bit system is told of itself; the system says more.
  $machine = $env:PROCESSOR_ARCHITEW6432
  if (-not $machine) { $machine = $env:PROCESSOR_ARCHITECTURE }
  switch ($machine) {
    'AMD64' { return 'windows-x64' }
    'ARM64' { return 'windows-arm64' }
    default { throw "There is no octaskly for the processor `"$machine`": there is for AMD64 and ARM64." }
  }
}

# The sums a join token holds, in hexadecimal; '' for a token without. See src/core/invite.ts.
function Get-TokenSums([string] $Token) {
  if ($Token -eq '' -or $Token.StartsWith('octa1')) { return '' }
  $damaged = 'This join token is damaged: something in it is mistyped or missing. Copy the whole line again.'
  if (-not $Token.StartsWith('octa2')) { throw 'This is not a join token that this script knows: use the line of "octaskly invite".' }
  $text = $Token.Substring(5).Replace('-', '+').Replace('_', '/')
  $text = $text + ('=' * ((4 - $text.Length % 4) % 4))
  try { $bytes = [Convert]::FromBase64String($text) } catch { throw $damaged }
  if ($bytes.Length -lt 60) { throw $damaged }
  $body = [byte[]] $bytes[0..($bytes.Length - 5)]
  $check = ([BitConverter]::ToString([byte[]] $bytes[($bytes.Length - 4)..($bytes.Length - 1)]) -replace '-', '').ToLowerInvariant()
  $whole = [byte[]] ([System.Text.Encoding]::ASCII.GetBytes('octa2') + $body)
  if ((Get-Sha256OfBytes $whole).Substring(0, 8) -ne $check) { throw $damaged }
  return ([BitConverter]::ToString([byte[]] $bytes[0..31]) -replace '-', '').ToLowerInvariant()
}

# Fetches a file of where the program comes from; $false when it is not there.
function Get-Part([string] $Name, [string] $Path) {
  if ($script:source -notmatch '^https?://') {
    $local = Join-Path $script:source $Name
    if (-not (Test-Path -LiteralPath $local)) { return $false }
    Copy-Item -LiteralPath $local -Destination $Path
    return $true
  }
  $url = "$($script:source)/$Name"
  if ($script:pin) {
    # Only curl, which Windows has, knows a server by its key.
    & curl.exe -fsSLk --pinnedpubkey $script:pin --connect-timeout 10 --speed-limit 1 --speed-time 60 --retry 20 --retry-delay 3 --retry-max-time 1200 -o $Path $url
    return $LASTEXITCODE -eq 0
  }
  for ($try = 1; ; $try++) {
    try {
      Invoke-WebRequest -UseBasicParsing -Uri $url -OutFile $Path
      return $true
    } catch {
      $status = 0
      if ($_.Exception.PSObject.Properties['Response'] -and $_.Exception.Response) { $status = [int] $_.Exception.Response.StatusCode }
      if ($status -eq 404) { return $false }
      # Others download just now.
      if (($status -ne 429 -and $status -ne 503) -or $try -ge 20) { throw "Cannot fetch ${url}: $($_.Exception.Message) Nothing was changed." }
      Start-Sleep -Seconds 3
    }
  }
}

function Assert-Sum([string] $Path, [string] $Sum, [string] $What) {
  if ((Get-Sha256 $Path) -ne $Sum) { throw "REFUSED: $What is not what its SHA-256 says. It was cut short or changed on its way. Nothing was changed." }
}

function Get-FromDispatcher([string] $Work, [string] $Target, [string] $TokenSums) {
  $list = Join-Path $Work 'SHA256SUMS'
  $expected = $TokenSums
  if ($Sums) { $expected = $Sums.ToLowerInvariant() }
  if ($expected -and (Get-Sha256 $list) -ne $expected) {
    throw "REFUSED: what $($script:source) offers is not what the join token was made for. Either somebody between here and there has changed it, or the dispatcher was updated since: ask for a new line (octaskly invite). Nothing was changed."
  }
  # Else whoever can write to where a release lies, or stands before it, would get round its signature as a dispatcher.
  if (-not $expected -and $baked_key -and -not $InsecureNoSignature) {
    throw "REFUSED: $($script:source) answers as a dispatcher, not as a signed release, and nothing says what its program should be. Use the whole line of `"octaskly invite`" (-Join TOKEN), or give -Sums with the SHA-256 of $($script:source)/download/SHA256SUMS if you know it from elsewhere, or -InsecureNoSignature to go by $($script:source) alone. Nothing was changed."
  }
  if (-not $expected) { Write-Step 'Without a join token nothing but this network says that the program is the right one.' }
  $sum = ''
  foreach ($line in Get-Content -LiteralPath $list) {
    if ($line -match '^([0-9a-f]{64})  (\S+)$' -and $Matches[2] -eq $Target) { $sum = $Matches[1] }
  }
  if (-not $sum) { throw "The dispatcher at $($script:source) has no program for $Target. It has others when it is started with --dist, the directory of a release." }
  Write-Step "Downloading octaskly for $Target from $($script:source)"
  $file = Join-Path $Work 'octaskly.exe'
  if (-not (Get-Part "download/$Target" $file)) { throw "Cannot fetch $($script:source)/download/$Target. Nothing was changed." }
  Assert-Sum $file $sum "the program from $($script:source)"
}

function Get-FromRelease([string] $Work, [string] $Target) {
  $path = Join-Path $Work 'manifest.json'
  if ($Sums) {
    if ((Get-Sha256 $path) -ne $Sums.ToLowerInvariant()) { throw "REFUSED: manifest.json of $($script:source) is not the one that -Sums names. Nothing was changed." }
  } elseif ($script:source -match '^https?://' -and -not $InsecureNoSignature) {
    throw "REFUSED: Windows cannot check the signature of this release. Give -Sums with the SHA-256 of its manifest.json if you know it from elsewhere, or -InsecureNoSignature to go by $($script:source) alone."
  }
  $manifest = Get-Content -Raw -LiteralPath $path | ConvertFrom-Json
  if ($Version -and $manifest.version -ne $Version) { throw "The release at $($script:source) is $($manifest.version), and $Version was asked for." }
  $name = "octaskly-$($manifest.version)-$Target"
  $entry = $manifest.files | Where-Object { $_.file -eq "$name.zip" } | Select-Object -First 1
  if (-not $entry) { throw "The release $($manifest.version) at $($script:source) has nothing for $Target." }
  Write-Step "Fetching octaskly $($manifest.version) for $Target from $($script:source)"
  $archive = Join-Path $Work 'archive.zip'
  if (-not (Get-Part "$name.zip" $archive)) { throw "Cannot fetch $name.zip. Nothing was changed." }
  Assert-Sum $archive $entry.sha256 "$name.zip"
  Expand-Archive -LiteralPath $archive -DestinationPath $Work
  Move-Item -LiteralPath (Join-Path (Join-Path $Work $name) 'octaskly.exe') -Destination (Join-Path $Work 'octaskly.exe')
}

# The new file has to run here before it replaces one that does.
function Test-Program([string] $Path) {
  $answer = & $Path version
  if ($LASTEXITCODE -ne 0 -or "$answer" -notlike 'octaskly *') { throw 'The new program does not run here. Nothing was changed.' }
  if ($Version -and "$answer" -ne "octaskly $Version") { throw "This is $answer, and $Version was asked for. Nothing was changed." }
  return "$answer"
}

# A program that runs cannot be replaced, but it can be given another name; the next run removes that.
function Set-Program([string] $New, [string] $Program) {
  if (Test-Path -LiteralPath $Program) {
    $former = "$Program.$PID.old"
    Move-Item -LiteralPath $Program -Destination $former
    try { Move-Item -LiteralPath $New -Destination $Program } catch { Move-Item -LiteralPath $former -Destination $Program; throw }
    Remove-Item -LiteralPath $former -Force -ErrorAction SilentlyContinue
  } else {
    Move-Item -LiteralPath $New -Destination $Program
  }
}

function Set-UserPath([string] $Directory, [bool] $Wanted) {
  $key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment', $true)
  try {
    # Not by [Environment], which would write what stands there as %NAME% with its value of now.
    $now = @("$($key.GetValue('Path', '', 'DoNotExpandEnvironmentNames'))" -split ';' | Where-Object { $_ -ne '' })
    if (($now -contains $Directory) -eq $Wanted) { return }
    $next = @($now | Where-Object { $_ -ne $Directory })
    if ($Wanted) { $next = $next + $Directory }
    $key.SetValue('Path', ($next -join ';'), 'ExpandString')
  } finally { $key.Dispose() }
  # Removes a variable that is not there, by which what runs is told that variables have changed.
  [Environment]::SetEnvironmentVariable('OCTASKLY_INSTALL', $null, 'User')
  if ($Wanted) { $env:Path = "$env:Path;$Directory"; Write-Step "$Directory is on your Path now; terminals opened from now on know it." }
}

function Remove-Leftovers([string] $Directory) {
  Get-ChildItem -LiteralPath $Directory -Force -ErrorAction SilentlyContinue |
    Where-Object { $_.Name -like '.octaskly-install.*' -or $_.Name -like 'octaskly.exe.*.old' } |
    Where-Object { -not (Get-Process -Id ([int] ($_.Name -replace '\D', '')) -ErrorAction SilentlyContinue) } |
    Remove-Item -Recurse -Force -ErrorAction SilentlyContinue
}

# What keeps starting a program must not be left behind without it.
function Remove-Services([string] $Program) {
  # Windows PowerShell 5.1 takes each line of standard error for an error that would end this.
  $ErrorActionPreference = 'Continue'
  $said = (& $Program service uninstall --all 2>&1 | ForEach-Object { "$_" }) -join "`n"
  if ($LASTEXITCODE -ne 0) { Write-Warning "Cannot remove the services that run it: $said" }
  elseif ($said) { Write-Step $said }
}

# Asks whoever sits there.
function Test-ServiceWanted {
  if ($Service) { return $true }
  if ($NoService -or $Quiet -or -not [Environment]::UserInteractive -or [Console]::IsInputRedirected) { return $false }
  # PowerShell may have been started with -NonInteractive, and then asks nobody.
  try { return (Read-Host 'Keep the worker running as a service, also after a restart? [y/N]') -match '^[Yy]' } catch { return $false }
}

function Uninstall-Octaskly([string] $Directory, [string] $Program) {
  $data = Join-Path $HOME '.octaskly'
  if ($DryRun) {
    Write-Step "Would remove the service, $Program, and $Directory from Path"
    if ($Purge) { Write-Step "Would remove $data" }
    return
  }
  if (Test-Path -LiteralPath $Program) {
    Remove-Services $Program
    Remove-Item -LiteralPath $Program -Force
    Write-Step "Removed $Program"
  } else {
    Write-Step "There is no $Program."
  }
  Set-UserPath $Directory $false
  Remove-Leftovers $Directory
  if (-not (Test-Path -LiteralPath $data)) { return }
  if ($Purge) { Remove-Item -LiteralPath $data -Recurse -Force; Write-Step "Removed $data" }
  else { Write-Step "The data stays in ${data}: secret, credentials, tasks. Remove it with -Uninstall -Purge." }
}

function Install-Octaskly([string] $Directory, [string] $Program) {
  $script:source = $From.TrimEnd('/')
  $script:pin = ''
  if (-not $From) { $script:source = $baked_base; $script:pin = $baked_pin }
  if (-not $script:source) { throw 'Say where to install from: -From http://HOST:3000 of a dispatcher, or a release.' }
  if ($baked_version -and -not $Version) { $Version = $baked_version }
  $token = $Join -replace '\s', ''
  $target = Get-Target
  $tokenSums = Get-TokenSums $token
  if ($DryRun) {
    Write-Step "This device: $target"
    Write-Step "Would download from $($script:source), check it, start it once, and put it in place: $Program"
    Write-Step "Would put $Directory on your Path"
    if ($Service) { Write-Step 'Would install the service: octaskly service install worker' }
    elseif ($token) { Write-Step 'Would join: octaskly worker --join TOKEN' }
    return
  }
  [void] (New-Item -ItemType Directory -Force -Path $Directory)
  Remove-Leftovers $Directory
  $work = Join-Path $Directory ".octaskly-install.$PID"
  [void] (New-Item -ItemType Directory -Force -Path $work)
  try {
    if (Get-Part 'download/SHA256SUMS' (Join-Path $work 'SHA256SUMS')) { Get-FromDispatcher $work $target $tokenSums }
    elseif (Get-Part 'manifest.json' (Join-Path $work 'manifest.json')) { Get-FromRelease $work $target }
    else { throw "There is neither a dispatcher nor a release at $($script:source)." }
    $answer = Test-Program (Join-Path $work 'octaskly.exe')
    Set-Program (Join-Path $work 'octaskly.exe') $Program
  } finally {
    Remove-Item -LiteralPath $work -Recurse -Force -ErrorAction SilentlyContinue
  }
  Write-Step "Installed ${answer}: $Program"
  Set-UserPath $Directory $true
  if ($Service -or ($token -and (Test-ServiceWanted))) {
    if ($token) { & $Program service install worker --join $token } else { & $Program service install worker }
    if ($LASTEXITCODE -ne 0) { throw "octaskly is installed, and its service is not (status $LASTEXITCODE)." }
  } elseif ($token) {
    Write-Step 'Joining. Ctrl-C ends the worker; "octaskly worker" starts it again.'
    & $Program worker --join $token
  }
}

# Windows PowerShell 5.1 may still offer TLS 1.0 alone.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
if ($Purge -and -not $Uninstall) { throw '-Purge goes with -Uninstall.' }
if ($Join -and $Uninstall) { throw '-Join and -Uninstall contradict each other.' }
if ($Sums -and $Sums -notmatch '^[0-9A-Fa-f]{64}$') { throw '-Sums is 64 digits 0-9a-f.' }
$directory = $Prefix
if (-not $directory) { $directory = Join-Path $env:LOCALAPPDATA 'Programs\octaskly' }
$program = Join-Path $directory 'octaskly.exe'
if ($Uninstall) { Uninstall-Octaskly $directory $program } else { Install-Octaskly $directory $program }
}

. $octasklyInstall
